package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// A job must not read what it writes, nor write over what it reads. Two checks make sure of that,
// before anything is written:
//
//   - CheckOverlap compares locations, without a request. It refuses an output that is an input,
//     that contains an input, or whose parts an input would find. No input finds names that begin
//     with "_" or ".", so an output s3://b/logs/_report may be below an input s3://b/logs/.
//   - checkObjects then checks every object that was found: none may be in the output's folder,
//     whatever glob or link has led there.
//
// Folders are compared by the paths that symbolic links lead to.

// ErrOverlap says that a job's output and one of its inputs overlap.
var ErrOverlap = errors.New("output and input overlap")

// overlapError is an ErrOverlap with its own text.
type overlapError string

func (e overlapError) Error() string { return string(e) }

// Is makes it an ErrOverlap.
func (e overlapError) Is(target error) bool { return target == ErrOverlap }

func overlaps(output, how, input, harm string) error {
	return overlapError(fmt.Sprintf("output %s %s input %s: the job would %s; choose an output apart from the inputs", output, how, input, harm))
}

// What overlapping leads to.
const (
	readsOwn  = "read what it writes"
	writeOver = "write over what it reads"
)

// outputFolder is a job's output, for comparison with inputs.
type outputFolder struct {
	name   string // as the spec has it
	bucket objstore.Bucket
	folder string // with a slash at its end, or ""; without links

	lastFolder   string // that contains was called with
	lastContains bool   // what it returned
	lastSeen     string // folder that seenFrom was called with
}

func newOutputFolder(ctx context.Context, open objstore.Opener, spec job.Spec) (*outputFolder, error) {
	b, key, err := open(ctx, spec.Output)
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", spec.Output, err)
	}
	out := &outputFolder{name: spec.Output, bucket: b}
	out.folder = out.follow(asFolder(key))
	return out, nil
}

// asFolder returns a key with a slash at its end. The empty key stays empty.
func asFolder(key string) string {
	if key == "" || strings.HasSuffix(key, "/") {
		return key
	}
	return key + "/"
}

// follow returns where a folder of the output's bucket really is.
func (out *outputFolder) follow(folder string) string {
	linked, ok := out.bucket.(objstore.Linked)
	if !ok || folder == "" {
		return folder
	}
	return asFolder(linked.Follow(strings.TrimSuffix(folder, "/")))
}

// CheckOverlap fails with ErrOverlap if the locations of a job's inputs and output overlap. It
// makes no request.
func CheckOverlap(ctx context.Context, open objstore.Opener, spec job.Spec) error {
	out, err := newOutputFolder(ctx, open, spec)
	if err != nil {
		return err
	}
	for _, location := range spec.InputURLs() {
		b, key, err := open(ctx, location)
		if err != nil {
			return fmt.Errorf("input %s: %w", location, err)
		}
		if b.URL() != out.bucket.URL() {
			continue
		}
		if err := out.checkNamed(location, key); err != nil {
			return err
		}
		if !isGlob(key) {
			continue
		}
		if g, err := newGlob(key); err == nil { // otherwise the location may be a name
			if err := out.checkGlob(location, g); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkNamed compares the output with an input that is an object or folder.
func (out *outputFolder) checkNamed(location, key string) error {
	in := out.follow(asFolder(key))
	below, inside := strings.CutPrefix(out.folder, in)
	switch {
	case in == out.folder:
		return overlaps(out.name, "is also the", location, writeOver)
	case strings.HasPrefix(in, out.folder):
		return overlaps(out.name, "contains the", location, writeOver)
	case inside && hiddenEnd(below) == 0:
		return overlaps(out.name, "is in the", location, readsOwn)
	}
	return nil
}

// partsTried is how many names of parts are tried on a glob. checkObjects finds a glob that matches
// only other parts, once these exist.
const partsTried = 100

// checkGlob compares the output with what a glob may match.
func (out *outputFolder) checkGlob(location string, g *glob) error {
	base := out.follow(g.base)
	if strings.HasPrefix(base, out.folder) {
		return overlaps(out.name, "contains the", location, writeOver)
	}
	below, inside := strings.CutPrefix(out.folder, base)
	if !inside || hiddenEnd(below) > 0 {
		return nil
	}
	for i := range partsTried {
		if g.matches(below + layout.PartName(i)) {
			return overlaps(out.name, "has parts that match the", location, readsOwn)
		}
	}
	return nil
}

// checkObjects fails with ErrOverlap if one of the objects that were found is in the output's
// folder.
func checkObjects(ctx context.Context, open objstore.Opener, spec job.Spec, objects []input.Object) error {
	out, err := newOutputFolder(ctx, open, spec)
	if err != nil {
		return err
	}
	var parts map[string]bool
	if spec.Overwrite { // otherwise there are none
		if parts, err = out.parts(ctx); err != nil {
			return err
		}
	}
	bucket := out.bucket.URL() + "/"
	for _, o := range objects {
		key, same := strings.CutPrefix(o.URL, bucket)
		if !same {
			continue
		}
		if out.contains(key) || parts[o.ETag] {
			return overlaps(out.name, "contains the", o.URL, writeOver)
		}
		if seen := out.seenFrom(key); seen != "" {
			if location, err := out.foundBy(ctx, open, spec.InputURLs(), seen); err != nil || location != "" {
				return cmp.Or(err, overlaps(out.name, "is, by a link, in the", location, readsOwn))
			}
		}
	}
	return nil
}

// seenFrom returns the key that the output's first part has in a listing that has found an object,
// if a link on the way to the object leads to a folder that contains the output; otherwise "". Of
// objects that follow each other in one folder it examines only the first.
func (out *outputFolder) seenFrom(key string) string {
	folder := key[:strings.LastIndexByte(key, '/')+1]
	if folder == out.lastSeen {
		return ""
	}
	out.lastSeen = folder
	real := out.follow(folder)
	below, inside := strings.CutPrefix(out.folder, real)
	if real == folder || !inside {
		return ""
	}
	return folder + below + layout.PartName(0)
}

// foundBy returns the first location that would find an object with that key; "" if none would.
func (out *outputFolder) foundBy(ctx context.Context, open objstore.Opener, locations []string, key string) (string, error) {
	for _, location := range locations {
		b, at, err := open(ctx, location)
		if err != nil {
			return "", fmt.Errorf("input %s: %w", location, err)
		}
		if b.URL() != out.bucket.URL() {
			continue
		}
		l := listing{base: asFolder(at)}
		if isGlob(at) {
			if g, err := newGlob(at); err == nil {
				l = listing{base: g.base, glob: g}
			}
		}
		if strings.HasPrefix(key, l.base) && l.wants(key) {
			return location, nil
		}
	}
	return "", nil
}

// contains reports whether an object is in the output's folder. It remembers the last folder,
// because objects come in order.
func (out *outputFolder) contains(key string) bool {
	folder := key[:strings.LastIndexByte(key, '/')+1]
	if folder != out.lastFolder {
		out.lastFolder, out.lastContains = folder, strings.HasPrefix(out.follow(folder), out.folder)
	}
	return out.folder == "" || folder != "" && out.lastContains
}

// parts returns the ETags of the parts of an output that the job overwrites, on stores where an
// input may be a link to one of them: there an ETag identifies a file. On others it returns nil.
func (out *outputFolder) parts(ctx context.Context) (map[string]bool, error) {
	if _, ok := out.bucket.(objstore.Linked); !ok {
		return nil, nil
	}
	parts := map[string]bool{}
	for o, err := range out.bucket.List(ctx, out.folder+"part-") {
		if err != nil {
			return nil, fmt.Errorf("output %s: %w", out.name, err)
		}
		parts[o.ETag] = true
	}
	return parts, nil
}
