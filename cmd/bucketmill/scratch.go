package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// A process holds a lock on a file in its scratch folder as long as it lives, so that the next
// one can tell a folder in use from one that a killed process left behind.
const (
	scratchPattern = "bucketmill-*"
	scratchLock    = "lock"
)

// scratch is a folder on local disk of this process's own.
type scratch struct {
	folder string
	lock   *os.File
}

// makeScratch makes a scratch folder in parent, by default the system's temporary folder, and
// removes those that belong to nobody any more.
func makeScratch(parent string) (*scratch, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	if err := reclaimScratch(parent); err != nil {
		return nil, fmt.Errorf("reclaim old scratch folders: %w", err)
	}
	folder, err := os.MkdirTemp(parent, scratchPattern)
	if err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	lock, err := lockFile(filepath.Join(folder, scratchLock), os.O_CREATE)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock scratch folder: %w", err), os.RemoveAll(folder))
	}
	return &scratch{folder: folder, lock: lock}, nil
}

func (s *scratch) remove() error {
	return errors.Join(os.RemoveAll(s.folder), s.lock.Close())
}

// reclaimScratch removes the folders of processes that were killed. One that has no lock file
// yet is being made.
func reclaimScratch(parent string) error {
	folders, err := filepath.Glob(filepath.Join(parent, scratchPattern))
	if err != nil {
		return err
	}
	var errs []error
	for _, folder := range folders {
		lock, err := lockFile(filepath.Join(folder, scratchLock), 0)
		if err != nil {
			continue // in use, not ours, or gone
		}
		errs = append(errs, os.RemoveAll(folder), lock.Close())
	}
	return errors.Join(errs...)
}

// lockFile opens and locks a file, or fails at once when another process holds the lock.
func lockFile(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
