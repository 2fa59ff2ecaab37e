package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/bucketmill/bucketmill/objstore"
)

// fail names the object and what was done to it, and translates the system's error into one
// of package objstore's.
func (b *Bucket) fail(verb, key string, err error) error {
	return fmt.Errorf("%s %s: %w", verb, objstore.Shown(b.URL()+"/"+key), translate(err))
}

// translate keeps err in the chain. Errors that are the contract's already pass, as do those
// that it has no name for.
func translate(err error) error {
	err = bare(err)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("the disk or the quota is full, free some space and try again: %w", err)
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

// bare strips the path off an error of package os: the URL says it already.
func bare(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	if linkErr, ok := errors.AsType[*os.LinkError](err); ok {
		return linkErr.Err
	}
	return err
}

// inTheWay explains why the folder of a new object could not be made: one of the elements of its
// key is a file.
func inTheWay(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return objstore.Invalidf("a file stands where a folder is needed")
	}
	return err
}
