package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// inputs are the objects that a job reads.
type inputs struct {
	objects    []input.Object
	passedOver int      // skipped names that begin with "." or "_", of objects and folders
	outputs    int      // skipped folders below the locations, which contain a job's finished output
	own        int      // skipped folders in which Bucketmill keeps its own objects
	empty      []string // locations whose objects have no bytes
}

// findInputs finds the objects that the locations name, in the order of the locations, each once. A
// location is an object, a prefix (which ends with a slash, or is a folder), or a glob (type glob).
// A location that is the name of an object or folder is that object or folder, whatever characters
// the name has.
//
// Globs and prefixes skip objects if an element of their name or folder below the prefix begins
// with "." or "_", as Hadoop does; such objects can be named outright. Folders and prefixes also
// skip folders below them with finished outputs of jobs: see skipOutputs. Objects without bytes are
// inputs like others. It fails, and names the location, if it finds nothing.
//
// What Bucketmill keeps on the work store for itself is skipped, however a location leads there: a
// program must not read what belongs to other jobs. Only a location that is in there as it is
// written finds it, and servers let only admins name such locations.
func findInputs(ctx context.Context, open objstore.Opener, area WorkArea, locations []string) (inputs, error) {
	var (
		in   inputs
		seen = map[string]bool{}
	)
	for _, location := range locations {
		found, err := find(ctx, open, area, location)
		if err != nil {
			return inputs{}, fmt.Errorf("input %s: %w", location, err)
		}
		in.passedOver += found.passedOver
		in.outputs += found.outputs
		in.own += len(found.own)
		var bytes int64
		for _, o := range found.objects {
			bytes += o.Size
		}
		if bytes == 0 {
			in.empty = append(in.empty, location)
		}
		if len(locations) == 1 {
			in.objects = found.objects // each once, and perhaps a million
			break
		}
		for _, o := range found.objects {
			if !seen[o.URL] {
				seen[o.URL] = true
				in.objects = append(in.objects, o)
			}
		}
	}
	return in, nil
}

// find finds the objects of a location.
func find(ctx context.Context, open objstore.Opener, area WorkArea, location string) (*listing, error) {
	b, key, err := open(ctx, location)
	if err != nil {
		return nil, err
	}
	special := isGlob(key)
	owned := area.in(b, key)
	found, err := findNamed(ctx, b, key, owned)
	switch {
	case special && err != nil && !noSuchName(err):
		return nil, err
	case special && (err != nil || len(found.objects) == 0):
		if found, err = findGlob(ctx, b, key, owned); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	}
	if len(found.objects) > 0 {
		return found, nil
	}
	empty, err := found.isEmpty(ctx)
	if err == nil && !empty {
		err = found.nothing(special)
	}
	return found, err
}

// isEmpty reports whether a folder without objects to read exists all the same: the store has empty
// folders, or the folder is an output with nothing but its _SUCCESS.
func (l *listing) isEmpty(ctx context.Context) (bool, error) {
	if l.glob != nil || l.outputs > 0 || len(l.own) > 0 {
		return false, nil
	}
	if l.passedOver > 0 {
		_, err := l.bucket.Stat(ctx, l.base+layout.SuccessName)
		if errors.Is(err, objstore.ErrNotFound) {
			return false, nil // the error says which names are skipped
		}
		return err == nil, err
	}
	f, ok := l.bucket.(objstore.Foldered)
	if !ok {
		return false, nil
	}
	return f.HasFolder(ctx, strings.TrimSuffix(l.base, "/"))
}

// noSuchName reports whether an error of the store may only mean that a glob is not the name of an
// object: it has characters or a length that the store does not accept there, or is in a place
// where only the matches are readable.
func noSuchName(err error) bool {
	return errors.Is(err, objstore.ErrNotFound) || errors.Is(err, objstore.ErrInvalid) || errors.Is(err, objstore.ErrDenied)
}

// findNamed finds the object that has a key, or else the objects below it. Some tools mark a folder
// with an object of 0 bytes: then the objects in the folder count.
func findNamed(ctx context.Context, b objstore.Bucket, key string, owned func(key string) string) (*listing, error) {
	var mark []input.Object
	if key != "" && !strings.HasSuffix(key, "/") {
		o, err := b.Stat(ctx, key)
		switch {
		case err == nil && owned(key) != "": // by a link
			return &listing{bucket: b, own: map[string]bool{owned(key): true}}, nil
		case err == nil && o.Size > 0:
			return &listing{bucket: b, objects: []input.Object{object(b, o)}}, nil
		case err == nil:
			mark = []input.Object{object(b, o)}
		case !errors.Is(err, objstore.ErrNotFound):
			return nil, err
		}
		key += "/"
	}
	found := &listing{bucket: b, base: key, owned: owned}
	err := found.list(ctx, key)
	if err == nil {
		err = found.skipOutputs(ctx)
	}
	if mark != nil && errors.Is(err, objstore.ErrDenied) {
		err = nil // whether the object may be read does not depend on the right to list
	}
	if len(found.objects) == 0 {
		found.objects = mark
	}
	return found, err
}

func findGlob(ctx context.Context, b objstore.Bucket, key string, owned func(key string) string) (*listing, error) {
	g, err := newGlob(key)
	if err != nil {
		return nil, err
	}
	found := &listing{bucket: b, base: g.base, glob: g, owned: owned}
	return found, found.list(ctx, g.prefix())
}

// listing gathers the objects below a folder that are not hidden and, if there is a glob, match it.
type listing struct {
	bucket objstore.Bucket
	base   string                  // the folder, with a slash at its end, or ""
	glob   *glob                   // nil: all
	owned  func(key string) string // see WorkArea.in; nil: no key is owned

	objects    []input.Object
	passedOver int             // skipped: hidden objects and folders that match
	finished   []string        // those of them that are _SUCCESS objects in folders below the base
	outputs    int             // skipped folders of these
	own        map[string]bool // skipped folders of Bucketmill's own that match
	lastHidden string          // the last hidden folder, with a slash at its end: objects below it come right after it
}

// list lists the keys that begin with prefix, which begins with base.
func (l *listing) list(ctx context.Context, prefix string) error {
	all := l.bucket.List(ctx, prefix)
	if s, ok := l.bucket.(objstore.SelectiveLister); ok {
		all = s.ListWhere(ctx, prefix, l.wants)
	}
	for o, err := range all {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		folderMark := strings.HasSuffix(o.Key, "/") // some tools make such objects
		if !folderMark && l.wants(o.Key) {
			l.objects = append(l.objects, object(l.bucket, o))
		}
	}
	return nil
}

// wants reports whether an object is wanted or, for a folder's key with a slash at its end, whether
// objects in the folder may be. It counts what it skips.
func (l *listing) wants(key string) bool {
	name := strings.TrimPrefix(key, l.base)
	if l.owned != nil {
		if folder := l.owned(key); folder != "" {
			l.skipOwn(folder, name)
			return false
		}
	}
	if end := hiddenEnd(name); end > 0 {
		l.skipHidden(name, end)
		return false
	}
	switch {
	case l.glob == nil:
		return true
	case strings.HasSuffix(name, "/"):
		return l.glob.mayContain(name)
	}
	return l.glob.matches(name)
}

// skipOwn counts a folder of Bucketmill's own that contains a name that would have been wanted.
func (l *listing) skipOwn(folder, name string) {
	if l.own[folder] || l.glob != nil && !l.glob.matches(name) {
		return
	}
	if l.own == nil {
		l.own = map[string]bool{}
	}
	l.own[folder] = true
}

// skipHidden counts a name that has a hidden element with that end. All names in one hidden folder
// count as one.
func (l *listing) skipHidden(name string, end int) {
	if l.lastHidden != "" && strings.HasPrefix(name, l.lastHidden) {
		return
	}
	if l.glob != nil && !l.glob.matches(name) {
		return
	}
	l.passedOver++
	if strings.HasSuffix(name, "/"+layout.SuccessName) {
		l.finished = append(l.finished, l.base+name)
	}
	if end < len(name) {
		l.lastHidden = name[:end+1]
	}
}

// readsAtOnce is how many requests a listing has under way.
const readsAtOnce = 32

// skipOutputs drops the objects in folders below the listed one that contain finished outputs of
// jobs: otherwise the output of a job whose input is the folder around it would be part of that
// input the next time. The listed folder itself is read even if it is an output, and so are outputs
// of other programs, which have another _SUCCESS.
func (l *listing) skipOutputs(ctx context.Context) error {
	var (
		mu      sync.Mutex
		folders []string
	)
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for _, key := range l.finished {
		g.Go(func() error {
			ours, err := isOurSuccess(reading, l.bucket, key)
			if err != nil || !ours {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			folders = append(folders, strings.TrimSuffix(key, layout.SuccessName))
			return nil
		})
	}
	if err := g.Wait(); err != nil || len(folders) == 0 {
		return err
	}
	l.outputs = len(folders)
	skipped := map[string]bool{}
	for _, folder := range folders {
		skipped[folder] = true
	}
	l.objects = slices.DeleteFunc(l.objects, func(o input.Object) bool {
		key := strings.TrimPrefix(o.URL, l.bucket.URL()+"/")
		for end := strings.LastIndexByte(key, '/'); end >= len(l.base); end = strings.LastIndexByte(key[:end], '/') {
			if skipped[key[:end+1]] {
				return true
			}
		}
		return false
	})
	return nil
}

// successBegin is how a _SUCCESS of a job of ours begins.
var successBegin = regexp.MustCompile(`^\{\s*"job":\s*"`)

// isOurSuccess reports whether a job of ours has written a _SUCCESS object.
func isOurSuccess(ctx context.Context, b objstore.Bucket, key string) (ours bool, err error) {
	const enough = 64 // bytes
	r, err := b.Get(ctx, key, 0, enough)
	if errors.Is(err, objstore.ErrNotFound) {
		return false, nil // deleted meanwhile
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	begin, err := io.ReadAll(r)
	return successBegin.Match(begin), err
}

// nothing explains why there are no objects.
func (l *listing) nothing(isGlob bool) error {
	text := "no such object, folder or prefix"
	if isGlob {
		text = `no object and no folder matches the glob, or has it as its name (* ? [ { and \ are special: write \[ for a [)`
	}
	switch {
	case len(l.own) > 0:
		text = "everything there is skipped: it is what Bucketmill keeps on the work store for itself"
	case l.outputs > 0:
		text = fmt.Sprintf("everything there is skipped: folders with outputs of jobs (%d with a _SUCCESS); name them, or match them with a glob, to read them", l.outputs)
	case l.passedOver > 0:
		text = fmt.Sprintf("everything there is skipped: each name begins with _ or . (%d objects and folders; name them outright to read them)", l.passedOver)
	}
	return errors.New(text)
}

// hiddenEnd returns the end of the first element of a name that begins with "." or "_"; 0: there is
// none. Keys of S3 may have elements "." and "..", which hide nothing.
func hiddenEnd(name string) int {
	for at := 0; at < len(name); {
		end := strings.IndexByte(name[at:], '/')
		if end < 0 {
			end = len(name) - at
		}
		element := name[at : at+end]
		if strings.HasPrefix(element, "_") || strings.HasPrefix(element, ".") && element != "." && element != ".." {
			return at + end
		}
		at += end + 1
	}
	return 0
}

func object(b objstore.Bucket, o objstore.Object) input.Object {
	return input.Object{URL: b.URL() + "/" + o.Key, Size: o.Size, ETag: o.ETag}
}
