package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/objstore"
)

var (
	_ objstore.Linked   = (*Bucket)(nil)
	_ objstore.Foldered = (*Bucket)(nil)
)

// HasFolder implements [objstore.Foldered].
func (b *Bucket) HasFolder(ctx context.Context, key string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, b.fail("look for the folder", key, err)
	}
	info, err := os.Stat(filepath.Join(b.root, filepath.FromSlash(key)))
	switch {
	case err == nil:
		return info.IsDir(), nil
	case errors.Is(translate(err), objstore.ErrNotFound):
		return false, nil
	}
	return false, b.fail("look for the folder", key, err)
}

// Follow implements [objstore.Linked]. It returns a key that leads out of the root unchanged.
func (b *Bucket) Follow(key string) string {
	root := follow(b.root)
	path := follow(filepath.Join(b.root, filepath.FromSlash(key)))
	if path == root {
		return ""
	}
	if below, ok := strings.CutPrefix(path, strings.TrimSuffix(root, "/")+"/"); ok {
		return filepath.ToSlash(below)
	}
	return key
}

// follow resolves the links in the longest prefix of path that exists and is reachable.
func follow(path string) string {
	var rest []string
	for at := path; ; at = filepath.Dir(at) {
		if found, err := filepath.EvalSymlinks(at); err == nil {
			slices.Reverse(rest)
			return filepath.Join(found, filepath.Join(rest...))
		}
		if at == filepath.Dir(at) {
			return path
		}
		rest = append(rest, filepath.Base(at))
	}
}
