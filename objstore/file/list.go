package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/bucketmill/bucketmill/objstore"
)

// List walks the folders below prefix, and holds the names of the folders that it is in, not more.
// It follows symbolic links, but for those that lead back to a folder that it is in. Pending
// files, and what is neither file nor folder, are left out.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[objstore.Object, error] {
	return b.ListWhere(ctx, prefix, func(string) bool { return true })
}

// ListWhere implements [objstore.SelectiveLister]: folders that are not wanted are not read, and
// files that are not wanted are not looked at.
func (b *Bucket) ListWhere(ctx context.Context, prefix string, want func(key string) bool) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		n := 0
		b.counters.listed(n)
		err := b.walk(ctx, prefix, want, func(key string, e entry) error {
			if e.isPending || !want(key) {
				return nil
			}
			info, err := e.stat()
			if errors.Is(err, fs.ErrNotExist) {
				return nil // removed since the folder was read
			}
			if err != nil {
				return b.fail("list", key, err)
			}
			if !info.Mode().IsRegular() {
				return nil
			}
			if n++; n > 1 {
				b.counters.listed(n - 1)
			}
			if !yield(describe(key, info), nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(objstore.Object{}, err)
		}
	}
}

// Uploads walks like List. An upload counts as begun when it was last written to.
func (b *Bucket) Uploads(ctx context.Context, prefix string) iter.Seq2[objstore.Upload, error] {
	return func(yield func(objstore.Upload, error) bool) {
		b.counters.Lists.Add(2) // that is how often the S3 drivers ask
		err := b.walk(ctx, prefix, func(string) bool { return true }, func(key string, e entry) error {
			if !e.isPending {
				return nil
			}
			info, err := e.stat()
			if errors.Is(err, fs.ErrNotExist) {
				return nil // completed or aborted since the folder was read
			}
			if err != nil {
				return b.fail("list uploads", key, err)
			}
			u := objstore.Upload{Key: key, ID: e.entry.Name(), Size: info.Size(), Begun: info.ModTime()}
			if !yield(u, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(objstore.Upload{}, err)
		}
	}
}

// walk calls visit for every file whose key starts with prefix, in the order of the keys. It
// passes over folders below prefix for which enter is false, and ends without an error when
// visit returns fs.SkipAll.
func (b *Bucket) walk(ctx context.Context, prefix string, enter func(key string) bool, visit func(key string, e entry) error) error {
	folder, partial := "", prefix
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		folder, partial = prefix[:i+1], prefix[i+1:]
	}
	if folder != "" {
		if _, err := b.path(strings.TrimSuffix(folder, "/")); err != nil {
			return b.fail("list", prefix, err)
		}
	}
	w := walker{ctx: ctx, bucket: b, enter: enter, visit: visit}
	err := w.folder(folder, partial)
	if errors.Is(err, fs.SkipAll) {
		return nil
	}
	return err
}

type walker struct {
	ctx    context.Context
	bucket *Bucket
	enter  func(key string) bool
	visit  func(key string, e entry) error
	inside []fs.FileInfo // the folders from the walk's root down to the one being read
}

// folder walks the folder whose key, with a slash at its end, is given: those of its entries
// whose names start with partial.
func (w *walker) folder(folder, partial string) error {
	path := filepath.Join(w.bucket.root, filepath.FromSlash(folder))
	info, err := os.Stat(path)
	if err == nil && slices.ContainsFunc(w.inside, func(i fs.FileInfo) bool { return os.SameFile(i, info) }) {
		return nil
	}
	var entries []entry
	if err == nil {
		entries, err = readFolder(path, partial)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil // a prefix of nothing, or removed meanwhile
	}
	if err != nil {
		return w.bucket.fail("list", folder, err)
	}
	w.inside = append(w.inside, info)
	defer func() { w.inside = w.inside[:len(w.inside)-1] }()
	for _, e := range entries {
		if err := w.ctx.Err(); err != nil {
			return w.bucket.fail("list", folder, err)
		}
		if e.isFolder {
			if w.enter(folder + e.sortKey) {
				err = w.folder(folder+e.sortKey, "")
			}
		} else {
			err = w.visit(folder+e.sortKey, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entry is what a folder holds under one name.
type entry struct {
	entry     fs.DirEntry
	path      string
	sortKey   string // the name as it continues the key: a folder's has a slash, a pending file's is its target's
	isFolder  bool
	isPending bool
}

// stat describes the file, or that which a symbolic link leads to. A link that leads nowhere
// is an error and not one of fs.ErrNotExist, for somebody meant it to be an object.
func (e entry) stat() (fs.FileInfo, error) {
	if e.entry.Type()&fs.ModeSymlink == 0 {
		return e.entry.Info()
	}
	info, err := os.Stat(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: a symbolic link that leads nowhere", objstore.ErrNotFound)
	}
	return info, err
}

// readFolder reads the entries whose names start with partial, in the order in which their keys,
// and those of all that is below them, follow each other.
func readFolder(path, partial string) ([]entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	all, err := f.ReadDir(-1)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(all))
	for _, d := range all {
		e := entry{entry: d, path: filepath.Join(path, d.Name()), sortKey: d.Name(), isFolder: d.IsDir()}
		if target, ok := targetOf(d.Name()); ok {
			e.sortKey, e.isPending, e.isFolder = target, true, false
		}
		if !strings.HasPrefix(e.sortKey, partial) {
			continue
		}
		if d.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(e.path)
			e.isFolder = err == nil && info.IsDir() // visit reports an error
		}
		if e.isFolder {
			e.sortKey += "/"
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.sortKey, b.sortKey) })
	return entries, nil
}
