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
	passedOver int      // names that begin with "." or "_", of objects and folders
	outputs    int      // folders below the locations that hold a job's finished output, and were passed over, too
	own        int      // folders of Bucketmill's own, passed over as well
	empty      []string // the locations that have not one byte
}

// findInputs finds the objects that the given locations name, in the order given, each once. A
// location is an object, a prefix (which ends with a slash, or is a folder), or a glob (type glob). A location
// that is the name of an object or folder is that object or folder, whatever characters the name has.
//
// In globs and prefixes, objects in whose name or folder below the prefix an element begins with "." or "_" are
// passed over, as Hadoop does; they can be named outright. So are, below a folder or prefix, other folders with
// finished outputs of jobs of ours: see passOverOutputs. It fails, naming the location, where nothing is found.
// Objects without a byte are inputs like others.
//
// What Bucketmill keeps on the work store for itself is passed over, however a location leads there: a program must not
// read what belongs to other jobs. It is found by a location only that lies in there as it is written, which servers
// let none but admins name.
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

// isEmpty tells whether a folder without objects to read is there all the same: the store has folders that are empty,
// or it is an output that has nothing but its _SUCCESS.
func (l *listing) isEmpty(ctx context.Context) (bool, error) {
	if l.glob != nil || l.outputs > 0 || len(l.own) > 0 {
		return false, nil
	}
	if l.passedOver > 0 {
		_, err := l.bucket.Stat(ctx, l.base+layout.SuccessName)
		if errors.Is(err, objstore.ErrNotFound) {
			return false, nil // it says which names are passed over
		}
		return err == nil, err
	}
	f, ok := l.bucket.(objstore.Foldered)
	if !ok {
		return false, nil
	}
	return f.HasFolder(ctx, strings.TrimSuffix(l.base, "/"))
}

// noSuchName tells whether an error of the store's may mean no more than that a glob is no name: it has characters
// or a length that the store does not accept there, or lies where only what matches may be asked for.
func noSuchName(err error) bool {
	return errors.Is(err, objstore.ErrNotFound) || errors.Is(err, objstore.ErrInvalid) || errors.Is(err, objstore.ErrDenied)
}

// findNamed finds the object that has a key, or else those below it. An object of 0 bytes may be there to mark a
// folder, as some tools do: then what counts is in the folder.
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
		err = found.passOverOutputs(ctx)
	}
	if mark != nil && errors.Is(err, objstore.ErrDenied) {
		err = nil // who may read the object need not be allowed to list
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

// listing gathers the objects below a folder that are neither hidden nor, if there is a glob, unmatched.
type listing struct {
	bucket objstore.Bucket
	base   string                  // the folder, with a slash at its end, or ""
	glob   *glob                   // nil: all
	owned  func(key string) string // see workArea.in; nil: nothing is

	objects    []input.Object
	passedOver int             // hidden objects and folders that match
	finished   []string        // of them: _SUCCESS objects in folders below the base
	outputs    int             // folders of these that were passed over
	own        map[string]bool // folders of Bucketmill's own that match
	lastHidden string          // the last of these folders, with a slash at its end: what is below it comes right after it
}

// list lists what begins with prefix, which begins with base.
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

// wants tells whether an object is wanted or, of a folder that is asked for with a slash at its end, whether objects
// in it may be. It notes what is hidden.
func (l *listing) wants(key string) bool {
	name := strings.TrimPrefix(key, l.base)
	if l.owned != nil {
		if folder := l.owned(key); folder != "" {
			l.passOwn(folder, name)
			return false
		}
	}
	if end := hiddenEnd(name); end > 0 {
		l.passOver(name, end)
		return false
	}
	switch {
	case l.glob == nil:
		return true
	case strings.HasSuffix(name, "/"):
		return l.glob.mayHold(name)
	}
	return l.glob.matches(name)
}

// passOwn counts a folder of Bucketmill's own that has a name in it which would have been wanted.
func (l *listing) passOwn(folder, name string) {
	if l.own[folder] || l.glob != nil && !l.glob.matches(name) {
		return
	}
	if l.own == nil {
		l.own = map[string]bool{}
	}
	l.own[folder] = true
}

// passOver counts a name whose element that ends there is hidden, and all that is in the same hidden folder as one.
func (l *listing) passOver(name string, end int) {
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

// passOverOutputs leaves out what lies in folders that hold finished outputs of jobs of ours, below the one that is
// listed: the output of a job whose input was the folder around it would be counted with that input from then on.
// The folder that is listed is read, also if it is an output itself, as are outputs of other programs, which mark
// them with another _SUCCESS.
func (l *listing) passOverOutputs(ctx context.Context) error {
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
	passed := map[string]bool{}
	for _, folder := range folders {
		passed[folder] = true
	}
	l.objects = slices.DeleteFunc(l.objects, func(o input.Object) bool {
		key := strings.TrimPrefix(o.URL, l.bucket.URL()+"/")
		for end := strings.LastIndexByte(key, '/'); end >= len(l.base); end = strings.LastIndexByte(key[:end], '/') {
			if passed[key[:end+1]] {
				return true
			}
		}
		return false
	})
	return nil
}

// successBegin is how a _SUCCESS of a job of ours begins.
var successBegin = regexp.MustCompile(`^\{\s*"job":\s*"`)

// isOurSuccess tells whether a _SUCCESS object is one that a job of ours has written.
func isOurSuccess(ctx context.Context, b objstore.Bucket, key string) (ours bool, err error) {
	const enough = 64 // bytes
	r, err := b.Get(ctx, key, 0, enough)
	if errors.Is(err, objstore.ErrNotFound) {
		return false, nil // gone meanwhile
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
		text = `no object and no folder matches the glob, or has it for a name (* ? [ { and \ are special there: write \[ for a [)`
	}
	switch {
	case len(l.own) > 0:
		text = "all that is there is passed over: it is what Bucketmill keeps on the work store for itself"
	case l.outputs > 0:
		text = fmt.Sprintf("all that is there is passed over: folders with outputs of jobs (%d with a _SUCCESS); name them, or match them with a glob, to read them", l.outputs)
	case l.passedOver > 0:
		text = fmt.Sprintf("all that is there is passed over: each name begins with _ or . (%d of objects and folders; name them outright to read them)", l.passedOver)
	}
	return errors.New(text)
}

// hiddenEnd returns where the first element of a name ends that begins with "." or "_"; 0: there is none. Keys of S3
// may have elements "." and "..", which hide nothing.
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
