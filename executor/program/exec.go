package program

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// openExec opens an executable that speaks the framed protocol.
func openExec(cfg Config, spec Spec, file string) (Program, error) {
	path, err := artifact(file)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	if info.Mode()&0o111 == 0 {
		return nil, fmt.Errorf("program %s is not executable", file)
	}
	files, err := artifacts(spec.Files)
	if err != nil {
		return nil, err
	}
	return &guestProgram{
		cfg: cfg, spec: spec, files: files,
		command: func(context.Context, Attempt) ([]string, error) { return []string{path}, nil },
	}, nil
}

// artifacts returns the absolute paths of files, which must be regular ones, by their names.
func artifacts(files map[string]string) (map[string]string, error) {
	paths := make(map[string]string, len(files))
	for name, file := range files {
		path, err := artifact(file)
		if err != nil {
			return nil, err
		}
		paths[name] = path
	}
	return paths, nil
}

// artifact returns the absolute path of a program's file, which must be a regular one.
func artifact(file string) (string, error) {
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
