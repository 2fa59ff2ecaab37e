package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A process holds a lock on a file in its scratch folder as long as it lives, so that the next
// one can tell a folder in use from one that a killed process left behind.
const (
	scratchPattern = "bucketmill-*"
	scratchLock    = "lock"
	newScratch     = ".new-" // before the name of a folder that is being made
)

// Scratch is a folder on local disk of this process's own.
type Scratch struct {
	Folder string // by its absolute path
	// Left says what of others that were killed could not be removed: it stays, and harms nobody.
	Left    error
	lock    *os.File
	watcher *watcher // nil: nobody watches
}

// MakeScratch makes a scratch folder in parent, by default the system's temporary folder, and
// removes those that belong to nobody any more.
func MakeScratch(parent string) (*Scratch, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	parent, err := filepath.Abs(parent) // programs run elsewhere, and get it as their home
	if err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	if err := os.MkdirAll(parent, passable); err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	left := reclaimScratch(parent)
	// It gets its name when it is locked: another process that starts now could come between.
	unnamed, err := os.MkdirTemp(parent, newScratch+scratchPattern)
	if err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	lock, err := lockFile(filepath.Join(unnamed, scratchLock), os.O_CREATE)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock scratch folder: %w", err), os.RemoveAll(unnamed))
	}
	folder := filepath.Join(parent, strings.TrimPrefix(filepath.Base(unnamed), newScratch))
	if err := os.Rename(unnamed, folder); err != nil {
		return nil, errors.Join(fmt.Errorf("name scratch folder: %w", err), os.RemoveAll(unnamed), lock.Close())
	}
	return &Scratch{Folder: folder, Left: left, lock: lock}, nil
}

// Remove removes the folder, with all that is in it, and ends its watcher.
func (s *Scratch) Remove() error {
	return errors.Join(RemoveScratch(s.Folder), s.lock.Close(), s.watcher.leave())
}

// reclaimScratch removes the folders of processes that were killed, and ends what still runs there. The kernel gives a lock up
// with the last process that holds it, so this also tells who lives in other containers of this
// machine that share the folder; over a network's file system it does so where that has locks. In a folder that all users
// of a machine share, only what is our own is looked at.
func reclaimScratch(parent string) error {
	folders, err := filepath.Glob(filepath.Join(parent, scratchPattern))
	if err != nil {
		return err
	}
	var errs []error
	for _, folder := range folders {
		_, err := reclaim(folder)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// reclaim removes a folder, and ends what runs there, if it is ours and nobody has its lock; true: it was done, or
// is not there.
func reclaim(folder string) (bool, error) {
	if ours, err := ownFolder(folder); err != nil || !ours {
		return errors.Is(err, fs.ErrNotExist), nil
	}
	lock, err := lockFile(filepath.Join(folder, scratchLock), 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist), nil // else in use, or not ours
	}
	// The kernel ends a killed executor's programs, but not what those had started.
	return true, errors.Join(KillStrays(folder), RemoveScratch(folder), lock.Close())
}

// ownFolder tells whether a path is that of a folder of our user's, and no link to one.
func ownFolder(path string) (bool, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return false, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return info.IsDir() && ok && int(stat.Uid) == os.Geteuid(), nil
}

// lockFile opens and locks a file, which must be no link, or fails at once when another process holds the lock.
func lockFile(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// RemoveScratch removes a folder in which programs have run, as os.RemoveAll does. These may have
// left folders that can't be written to, whose files only the superuser could remove, or may have run as other
// users, whose folders only they can empty.
func RemoveScratch(folder string) error {
	err := os.RemoveAll(folder)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		if owner := ownerOf(entry); owner != nil {
			// What it can't remove is named by what follows.
			_ = owner.As(func() error { return emptyFolder(path) })
			return fs.SkipDir
		}
		// A folder is visited before it is read, and others may have to pass it. What is not ours stays, and is
		// named below.
		_ = os.Chmod(path, passable)
		return nil
	})
	return errors.Join(err, os.RemoveAll(folder))
}

// ownerOf returns the user that a folder belongs to, if that is not ours or the superuser.
func ownerOf(entry fs.DirEntry) *User {
	info, err := entry.Info()
	if err != nil {
		return nil
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 || int(stat.Uid) == os.Geteuid() {
		return nil
	}
	return &User{ID: int(stat.Uid), Group: int(stat.Gid)}
}

// emptyFolder removes all that is in a folder of the caller's.
func emptyFolder(folder string) error {
	if err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	}); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	errs := []error{err}
	for _, entry := range entries {
		errs = append(errs, os.RemoveAll(filepath.Join(folder, entry.Name())))
	}
	return errors.Join(errs...)
}

// PassableFolder makes a folder, and what is missing above it, through which other users get to what is in
// it, without being able to see what that is.
func PassableFolder(path string) error {
	err := os.Mkdir(path, passable)
	if errors.Is(err, fs.ErrNotExist) {
		if err := PassableFolder(filepath.Dir(path)); err != nil {
			return err
		}
		err = os.Mkdir(path, passable)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(path, passable) // whatever the process's mask
}

const passable = 0o711

// Admit lets the programs of other users get to their folders.
func (s *Scratch) Admit(users *Users) error {
	if err := os.Chmod(s.Folder, passable); err != nil {
		return fmt.Errorf("let user %d pass the scratch folder: %w", users.First, err)
	}
	err := users.At(0).As(func() error {
		_, err := os.Lstat(filepath.Join(s.Folder, scratchLock))
		return err
	})
	if err != nil {
		return fmt.Errorf("user %d can't get to the scratch folder %s, since a folder above it lets nobody pass: allow that (chmod o+x), or give another --scratch: %w", users.First, s.Folder, err)
	}
	return nil
}

// MakeFolder makes the folder that a program of the user's works in; it may be there already.
func (u *User) MakeFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	if u == nil {
		return nil
	}
	return os.Chown(path, u.ID, u.Group)
}

// Usage is how many bytes of its disk the files in a folder of the user's take.
func (u *User) Usage(folder string) (used int64) {
	_ = u.As(func() error {
		return filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil // what can't be read can't be counted
			}
			if info, err := entry.Info(); err == nil {
				if stat, ok := info.Sys().(*syscall.Stat_t); ok {
					used += stat.Blocks * 512
				}
			}
			return nil
		})
	})
	return used
}
