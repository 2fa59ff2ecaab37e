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

// While a process lives, it has a lock on a file in its scratch folder. By this lock, other
// processes tell a folder in use from one that a killed process has left.
const (
	scratchPattern = "bucketmill-*"
	scratchLock    = "lock"
	newScratch     = ".new-" // prefix of a folder that is not locked yet
)

// Scratch is a folder on local disk that only this process uses.
type Scratch struct {
	Folder string // absolute path
	// Left says which leftovers of killed processes could not be removed. They do no harm.
	Left    error
	lock    *os.File
	watcher *watcher // may be nil
}

// MakeScratch makes a scratch folder in parent, by default the system's temporary folder, and
// removes scratch folders that no longer belong to a process.
func MakeScratch(parent string) (*Scratch, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	parent, err := filepath.Abs(parent) // programs run in other folders, and have their home here
	if err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	if err := os.MkdirAll(parent, passable); err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	left := reclaimScratch(parent)
	// It gets its final name once it is locked; otherwise, another process that starts now could
	// remove it.
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

// Remove removes the folder with its content, and ends its watcher.
func (s *Scratch) Remove() error {
	return errors.Join(RemoveScratch(s.Folder), s.lock.Close(), s.watcher.leave())
}

// reclaimScratch removes the folders of killed processes, and ends what still runs in them. The
// kernel releases a lock when the last process that has it ends. So the lock also protects folders
// of other containers on this machine that share parent, and on a network file system if that has
// locks. In a parent that all users of a machine share, only our user's folders are considered.
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

// reclaim removes a folder, and ends what runs in it, if it is our user's and nobody has its lock.
// It returns true if it did that, or the folder does not exist.
func reclaim(folder string) (bool, error) {
	if ours, err := ownFolder(folder); err != nil || !ours {
		return errors.Is(err, fs.ErrNotExist), nil
	}
	lock, err := lockFile(filepath.Join(folder, scratchLock), 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist), nil // otherwise it is in use, or not ours
	}
	// The kernel ends the programs of a killed executor, but not what they had started.
	return true, errors.Join(KillStrays(folder), RemoveScratch(folder), lock.Close())
}

// ownFolder reports whether a path is a folder of our user, and not a link to one.
func ownFolder(path string) (bool, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return false, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return info.IsDir() && ok && int(stat.Uid) == os.Geteuid(), nil
}

// lockFile opens and locks a file, which must not be a link. It fails at once if another process
// has the lock.
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

// RemoveScratch removes a folder in which programs have run, as os.RemoveAll does. Programs may
// have left folders without write permission, whose files only the superuser could remove. Or they
// have run as other users, and only these can empty their folders.
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
			// os.RemoveAll below names what this can't remove.
			_ = owner.As(func() error { return emptyFolder(path) })
			return fs.SkipDir
		}
		// A folder is visited before it is read, and other users may have to pass it. What is not
		// ours stays, and is named below.
		_ = os.Chmod(path, passable)
		return nil
	})
	return errors.Join(err, os.RemoveAll(folder))
}

// ownerOf returns the user that a folder belongs to, or nil if that is us or the superuser.
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

// emptyFolder removes the content of a folder that the calling thread's user owns.
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

// PassableFolder makes a folder, and missing folders above it. Other users can open what is in them
// by its name, but can't list them.
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
	return os.Chmod(path, passable) // whatever the umask is
}

const passable = 0o711

// Admit gives programs of other users access to their folders.
func (s *Scratch) Admit(users *Users) error {
	if err := os.Chmod(s.Folder, passable); err != nil {
		return fmt.Errorf("let user %d pass the scratch folder: %w", users.First, err)
	}
	err := users.At(0).As(func() error {
		_, err := os.Lstat(filepath.Join(s.Folder, scratchLock))
		return err
	})
	if err != nil {
		return fmt.Errorf("user %d has no access to the scratch folder %s, because of a folder above it: allow other users to pass (chmod o+x), or give another --scratch: %w", users.First, s.Folder, err)
	}
	return nil
}

// MakeFolder makes the working folder for a program of the user. It may exist already.
func (u *User) MakeFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	if u == nil {
		return nil
	}
	return os.Chown(path, u.ID, u.Group)
}

// Usage returns how many bytes on disk the files in a folder of the user take.
func (u *User) Usage(folder string) (used int64) {
	_ = u.As(func() error {
		return filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil // it can't be counted
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
