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

// List walks the folders below prefix. In memory it has the entries of the folders that it is in,
// not more. It follows symbolic links, except those that lead back to a folder that it is in. It
// skips pending files, and whatever is neither a file nor a folder.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[objstore.Object, error] {
	return b.ListWhere(ctx, prefix, func(string) bool { return true })
}

// ListWhere implements [objstore.SelectiveLister]. It does not read folders that are not wanted,
// nor stat files that are not wanted.
func (b *Bucket) ListWhere(ctx context.Context, prefix string, want func(key string) bool) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		n := 0
		b.counters.countListed(n)
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
				b.counters.countListed(n - 1)
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

// Uploads walks like List. It reports the time of the last write as the time when the upload began.
func (b *Bucket) Uploads(ctx context.Context, prefix string) iter.Seq2[objstore.Upload, error] {
	return func(yield func(objstore.Upload, error) bool) {
		b.counters.Lists.Add(2) // the S3 drivers send two requests
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

// walk calls visit for every file whose key starts with prefix, in the order of the keys. It skips
// folders below prefix for which enter returns false. It ends without an error when visit returns
// fs.SkipAll.
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

// walker is one call of walk.
type walker struct {
	ctx    context.Context // of the call
	bucket *Bucket
	enter  func(key string) bool
	visit  func(key string, e entry) error
	inside []fs.FileInfo // the folders from the walk's root down to the one being read
}

// folder walks the folder with this key, which has a trailing slash, and visits the entries whose
// names start with partial.
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
		return nil // no key has this prefix, or the folder was removed meanwhile
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

// entry is an entry of a folder.
type entry struct {
	entry     fs.DirEntry
	path      string
	sortKey   string // the name as it continues the key: with a slash for a folder, the target's for a pending file
	isFolder  bool
	isPending bool
}

// stat describes the file, or the target of a symbolic link. For a link that leads nowhere the
// error is not fs.ErrNotExist, so that walk does not skip it: somebody meant it to be an object.
func (e entry) stat() (fs.FileInfo, error) {
	if e.entry.Type()&fs.ModeSymlink == 0 {
		return e.entry.Info()
	}
	info, err := os.Stat(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the symbolic link leads nowhere", objstore.ErrNotFound)
	}
	return info, err
}

// readFolder returns the entries whose names start with partial. It sorts them so that a walk
// visits all keys in order, including the keys below folders.
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
