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

// folders makes folders and removes those that it made. It is safe for concurrent use.
type folders struct {
	mu   sync.Mutex
	made map[string]struct{} // guarded by mu: paths made here and not removed since
}

func newFolders() folders { return folders{made: make(map[string]struct{})} }

// createAttempts limits how often create makes a folder that another Bucket or process removes
// before it is used.
const createAttempts = 100

// create opens path as a new file, and makes its folder if it is missing.
func (d *folders) create(path string) (*os.File, error) {
	for range createAttempts {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, explainNotFolder(err)
		}
		if err := d.make(filepath.Dir(path)); err != nil {
			return nil, explainNotFolder(err)
		}
	}
	return nil, objstore.Invalidf("the folder can't be made")
}

// make is os.MkdirAll that remembers what it made, and syncs it to the disk.
func (d *folders) make(dir string) error {
	err := os.Mkdir(dir, 0o777)
	switch {
	case errors.Is(err, fs.ErrExist):
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return syscall.ENOTDIR
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile; create tries again
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
				return nil // another process was faster; create finds out
			}
			return err
		}
	case err != nil:
		return err
	}
	d.mu.Lock()
	d.made[dir] = struct{}{}
	d.mu.Unlock()
	return syncFolder(filepath.Dir(dir))
}

// prune removes dir, and then its parents, as long as they are empty and were made here.
func (d *folders) prune(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if _, ok := d.made[dir]; !ok {
			return
		}
		// A folder that is not empty stays, and stays in made.
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
		delete(d.made, dir)
		dir = filepath.Dir(dir)
	}
}

// syncFolder syncs the names in dir to the disk. A folder that was removed meanwhile has none.
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
		err = nil // some file systems can't sync folders, among them some of FUSE
	}
	return errors.Join(err, f.Close())
}
