package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/bucketmill/bucketmill/objstore"
)

// Complete renames the pending file. If that is gone, it succeeds if the object is what the file
// became.
func (b *Bucket) Complete(ctx context.Context, u objstore.Upload) (objstore.Object, error) {
	info, err := b.complete(ctx, u)
	if err != nil {
		return objstore.Object{}, b.fail("complete", u.Key, err)
	}
	return describe(u.Key, info), nil
}

func (b *Bucket) complete(ctx context.Context, u objstore.Upload) (fs.FileInfo, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	from, target, err := b.pendingPath(u)
	if err != nil {
		return nil, err
	}
	b.counters.Puts.Add(1)
	b.counters.Heads.Add(1) // the S3 drivers check the object
	if len(u.Parts) != 1 {
		return nil, errUnsealed
	}
	info, err := os.Stat(from)
	if err == nil && etag(info) != u.Parts[0].ETag {
		return nil, objstore.Invalidf("the pending file has changed since it was sealed")
	}
	if err == nil {
		err = os.Rename(from, target)
	}
	if errors.Is(err, fs.ErrNotExist) {
		info, err = findCompleted(target, u)
	}
	if err != nil {
		return nil, explainFolder(target, err)
	}
	// Also if another process renamed the file: it may not have come to this point.
	return info, syncFolder(filepath.Dir(target))
}

var errUnsealed = objstore.Invalidf("the upload was not sealed")

// Made compares the object's ETag with that of the sealed pending file. Renaming keeps the ETag,
// and no other file has it.
func (b *Bucket) Made(ctx context.Context, u objstore.Upload) (bool, error) {
	const verb = "check which upload made"
	if err := ctx.Err(); err != nil {
		return false, b.fail(verb, u.Key, err)
	}
	_, target, err := b.pendingPath(u)
	if err == nil && len(u.Parts) != 1 {
		err = errUnsealed
	}
	b.counters.Heads.Add(1)
	if err == nil {
		_, err = findCompleted(target, u)
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(translate(err), objstore.ErrNotFound):
		return false, nil
	}
	return false, b.fail(verb, u.Key, err)
}

// findCompleted describes the object that u became.
func findCompleted(target string, u objstore.Upload) (fs.FileInfo, error) {
	info, err := statFile(target)
	if err != nil {
		return nil, err
	}
	if etag(info) != u.Parts[0].ETag {
		return nil, fmt.Errorf("%w: the upload is gone, and another object is in its place", objstore.ErrNotFound)
	}
	return info, nil
}

// Abort removes the pending file.
func (b *Bucket) Abort(ctx context.Context, u objstore.Upload) error {
	if err := ctx.Err(); err != nil {
		return b.fail("abort", u.Key, err)
	}
	from, _, err := b.pendingPath(u)
	b.counters.Deletes.Add(1)
	if err == nil {
		err = b.removePending(from)
	}
	if err != nil {
		return b.fail("abort", u.Key, err)
	}
	return nil
}

// Delete removes files, one after another. It tries all and returns the first error.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	b.counters.countDelete(len(keys))
	var first error
	for _, key := range keys {
		path, err := b.resolve(ctx, key)
		if err == nil {
			err = unlink(path)
		}
		if err != nil && first == nil {
			first = b.fail("delete", key, err)
		}
		if ctx.Err() != nil {
			break
		}
		if err == nil {
			b.folders.prune(filepath.Dir(path))
		}
	}
	return first
}

// unlink removes a file, but never a folder: os.Remove would remove an empty folder.
func unlink(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotFolder) {
		return nil
	}
	if err != nil || info.IsDir() {
		return err
	}
	err = syscall.Unlink(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

const errNotFolder = syscall.ENOTDIR

// linkNew renames the pending file, unless the new name exists.
func linkNew(from, to string) error {
	err := os.Link(from, to)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: %w", objstore.ErrExists, withoutPath(err))
	case errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.EMLINK), errors.Is(err, syscall.ENOSYS):
		return fmt.Errorf("%w: the file system has no hard links: %w", objstore.ErrNotSupported, withoutPath(err))
	case err != nil:
		return err
	}
	return os.Remove(from)
}
