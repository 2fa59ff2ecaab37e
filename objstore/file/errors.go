package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/bucketmill/bucketmill/objstore"
)

// fail adds the operation and the object's URL to err, and translates it.
func (b *Bucket) fail(verb, key string, err error) error {
	return fmt.Errorf("%s %s: %w", verb, objstore.Shown(b.URL()+"/"+key), translate(err))
}

// translate wraps the system's error err in the fitting sentinel of package objstore. It returns
// err itself if it already is one, or if none fits.
func translate(err error) error {
	err = withoutPath(err)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("the disk or the quota is full; free some space and try again: %w", err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", objstore.ErrNotFound, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w", objstore.ErrDenied, err)
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.ELOOP),
		errors.Is(err, syscall.EILSEQ), errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%w: %w", objstore.ErrInvalid, err)
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ETIMEDOUT):
		return fmt.Errorf("%w: %w", objstore.ErrUnavailable, err)
	}
	return err
}

// withoutPath removes the path from an error of package os: the URL contains it.
func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	if linkErr, ok := errors.AsType[*os.LinkError](err); ok {
		return linkErr.Err
	}
	return err
}

// explainNotFolder explains why the folder of a new object could not be made: an element of its key
// is a file.
func explainNotFolder(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return objstore.Invalidf("a parent folder in the key is a file")
	}
	return err
}
