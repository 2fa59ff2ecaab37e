package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/bucketmill/bucketmill/objstore"
)

// folders makes folders and removes those that it made.
type folders struct {
	mu   sync.Mutex
	mine map[string]struct{} // guarded by mu: paths made here and not removed since
}

func newFolders() folders { return folders{mine: make(map[string]struct{})} }

// createAttempts bounds how often a file's folder may be pruned, by another Bucket or process,
// between making it and using it.
const createAttempts = 100

// create makes the folder of path where it is missing and opens path in it as a new file.
func (d *folders) create(path string) (*os.File, error) {
	for range createAttempts {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, inTheWay(err)
		}
		if err := d.make(filepath.Dir(path)); err != nil {
			return nil, inTheWay(err)
		}
	}
	return nil, objstore.Invalidf("the folder can't be made here")
}

// make is os.MkdirAll that remembers what it made, and sees to it that a crash of the machine
// does not undo it.
func (d *folders) make(dir string) error {
	err := os.Mkdir(dir, 0o777)
	switch {
	case errors.Is(err, fs.ErrExist):
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return syscall.ENOTDIR
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // pruned meanwhile; create tries again
		}
		return err
	case errors.Is(err, fs.ErrNotExist):
		parent := filepath.Dir(dir)
		if parent == dir {
			return err
		}
		if err := d.make(parent); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o777); err != nil {
			if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
				return nil // somebody was faster; create finds out
			}
			return err
		}
	case err != nil:
		return err
	}
	d.mu.Lock()
	d.mine[dir] = struct{}{}
	d.mu.Unlock()
	return syncFolder(filepath.Dir(dir))
}

// prune removes dir and the folders above it as far as they were made here and are empty.
func (d *folders) prune(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if _, ok := d.mine[dir]; !ok {
			return
		}
		// A folder that is not empty stays, and stays ours.
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
		delete(d.mine, dir)
		dir = filepath.Dir(dir)
	}
}

// syncFolder makes the names in dir survive a crash of the machine. A folder that was pruned
// meanwhile has none.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // file systems that can't sync folders, some FUSE ones among them
	}
	return errors.Join(err, f.Close())
}
