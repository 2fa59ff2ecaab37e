package program

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// RemoveScratch removes a folder in which programs have run, as os.RemoveAll does. These may have
// left folders that can't be written to, whose files only the superuser could remove.
func RemoveScratch(folder string) error {
	err := os.RemoveAll(folder)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			// A folder is visited before it is read. What is not ours stays, and is told of below.
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return errors.Join(err, os.RemoveAll(folder))
}
