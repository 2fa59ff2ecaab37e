package controller

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/bucketmill/bucketmill/executor/split"
	"github.com/bucketmill/bucketmill/objstore"
)

// inputs finds the objects that the given locations name, in the order given, each once. A
// location is an object, a glob (* ? [a-z] {a,b}, and ** across folders), or a prefix: one
// that ends with a slash, or a folder. In globs and prefixes, objects in whose name or
// folder below the prefix an element begins with "." or "_" are passed over, as Hadoop does;
// they can be named outright. It fails, naming the location, where nothing is found or where
// there is not one byte.
func inputs(ctx context.Context, open Opener, locations []string) ([]split.Object, error) {
	var (
		objects []split.Object
		seen    = map[string]bool{}
	)
	for _, location := range locations {
		found, err := expand(ctx, open, location)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", location, err)
		}
		var bytes int64
		for _, o := range found {
			bytes += o.Size
		}
		if bytes == 0 {
			return nil, fmt.Errorf("input %s: %d objects, but all are empty (0 bytes)", location, len(found))
		}
		if len(locations) == 1 {
			return found, nil // each once, and perhaps a million
		}
		for _, o := range found {
			if !seen[o.URL] {
				seen[o.URL] = true
				objects = append(objects, o)
			}
		}
	}
	return objects, nil
}

var errNothing = errors.New("no such object, folder or prefix")

func expand(ctx context.Context, open Opener, location string) ([]split.Object, error) {
	b, key, err := open(ctx, location)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(key, `*?[{\`) {
		return expandGlob(ctx, b, key)
	}
	if key != "" && !strings.HasSuffix(key, "/") {
		o, err := b.Stat(ctx, key)
		if err == nil {
			return []split.Object{object(b, o)}, nil
		}
		if !errors.Is(err, objstore.ErrNotFound) {
			return nil, err
		}
		key += "/"
	}
	found, err := list(ctx, b, key, key, func(string) bool { return true })
	if err == nil && len(found) == 0 {
		err = errNothing
	}
	return found, err
}

func expandGlob(ctx context.Context, b objstore.Bucket, pattern string) ([]split.Object, error) {
	if !doublestar.ValidatePattern(pattern) {
		return nil, errors.New("the glob is malformed")
	}
	base, _ := doublestar.SplitPattern(pattern)
	prefix := base + "/"
	if base == "." {
		prefix = ""
	}
	found, err := list(ctx, b, literal(pattern, prefix), prefix, func(key string) bool {
		if strings.HasSuffix(key, "/") {
			return mayHold(pattern, key)
		}
		ok, err := doublestar.Match(pattern, key)
		return err == nil && ok // the pattern is valid
	})
	if err == nil && len(found) == 0 {
		err = errors.New("no object matches the glob")
	}
	return found, err
}

// mayHold tells whether keys below a folder may match a pattern: whether its elements do, one
// by one.
func mayHold(pattern, folder string) bool {
	wanted := strings.Split(pattern, "/")
	for i, element := range strings.Split(strings.TrimSuffix(folder, "/"), "/") {
		if i >= len(wanted) {
			return false // too deep
		}
		if wanted[i] == "**" || strings.ContainsAny(wanted[i], `{}\`) {
			return true // any depth; or alternatives, which may hold slashes
		}
		if i == len(wanted)-1 {
			return false // what matches the last element is no folder
		}
		if ok, err := doublestar.Match(wanted[i], element); err == nil && !ok {
			return false
		}
	}
	return true
}

// literal is the longest prefix of a pattern that is no pattern, so that as little as
// possible is listed; at least base.
func literal(pattern, base string) string {
	if i := strings.IndexAny(pattern, `*?[{\`); i > len(base) {
		return pattern[:i]
	}
	return base
}

// list returns the objects under prefix that are wanted and not hidden below base. Folders are
// asked for with a slash at their end.
func list(ctx context.Context, b objstore.Bucket, prefix, base string, want func(key string) bool) ([]split.Object, error) {
	visible := func(key string) bool {
		return !hidden(strings.TrimPrefix(key, base)) && want(key)
	}
	listing := b.List(ctx, prefix)
	if s, ok := b.(objstore.SelectiveLister); ok {
		listing = s.ListWhere(ctx, prefix, visible)
	}
	var found []split.Object
	for o, err := range listing {
		if err != nil {
			return nil, err
		}
		folderMark := strings.HasSuffix(o.Key, "/") // some tools make such objects
		if !folderMark && visible(o.Key) {
			found = append(found, object(b, o))
		}
	}
	return found, nil
}

func hidden(relative string) bool {
	return slices.ContainsFunc(strings.Split(relative, "/"), func(element string) bool {
		return strings.HasPrefix(element, ".") || strings.HasPrefix(element, "_")
	})
}

func object(b objstore.Bucket, o objstore.Object) split.Object {
	return split.Object{URL: b.URL() + "/" + o.Key, Size: o.Size, ETag: o.ETag}
}

// outputURL names an output in the same way whether or not the user ended it with a slash.
func outputURL(b objstore.Bucket, key string) string {
	return b.URL() + "/" + strings.TrimSuffix(key, "/")
}

// outputName is where a part of the output goes.
func outputName(prefix, name string) string {
	return strings.TrimPrefix(path.Join(prefix, name), "/")
}
