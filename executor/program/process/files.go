package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// FindFile returns the absolute path of a program's file, which must be a regular file.
func FindFile(file string) (string, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return "", fmt.Errorf("program: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("program: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("program %s is not a regular file", file)
	}
	return path, nil
}

// FindFiles returns the absolute paths of program files, by their names. All must be regular files.
func FindFiles(files map[string]string) (map[string]string, error) {
	paths := make(map[string]string, len(files))
	for name, file := range files {
		path, err := FindFile(file)
		if err != nil {
			return nil, err
		}
		paths[name] = path
	}
	return paths, nil
}

// LinkFiles makes links to files, by their names, in a working folder. Links of an earlier process
// stay.
func LinkFiles(files map[string]string, folder string) error {
	for name, file := range files {
		link := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
			return fmt.Errorf("put %s into the working folder: %w", name, err)
		}
		err := os.Symlink(file, link)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("put %s into the working folder: %w", name, err)
		}
	}
	return nil
}

// IgnoreClosed returns err, or nil if err says that a file was closed already.
func IgnoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
