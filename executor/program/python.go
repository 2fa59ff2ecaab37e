package program

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// runner is the Python package that drives a user's functions. It needs Python 3.8 and its
// standard library.
//
//go:embed runner/main.py runner/bucketmill_runner/*.py
var runner embed.FS

// runnerFolder is where the runner goes in a scratch folder.
const runnerFolder = ".bucketmill"

// openPython opens a Python file.
func openPython(cfg Config, spec Spec, file string) (Program, error) {
	path, err := artifact(file)
	if err != nil {
		return nil, err
	}
	if spec.Name == "" {
		spec.Name = filepath.Base(path)
	}
	python := &pythonFinder{python: cfg.Python, found: cfg.interpreter}
	return &guestProgram{
		cfg: cfg, spec: spec,
		command: func(ctx context.Context, scratch string) ([]string, error) {
			found, err := python.find(ctx)
			if err != nil {
				return nil, err
			}
			main, err := writeRunner(scratch, found.compiled)
			if err != nil {
				return nil, err
			}
			return []string{found.path, main, path, spec.Name}, nil
		},
	}, nil
}

// writeRunner writes the runner into scratch and returns the file to start. Compiled are files that go
// beside the source.
func writeRunner(scratch string, compiled map[string][]byte) (string, error) {
	source, err := fs.Sub(runner, "runner")
	if err != nil {
		return "", fmt.Errorf("read the Python runner: %w", err)
	}
	folder := filepath.Join(scratch, runnerFolder)
	err = fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(folder, filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		text, err := fs.ReadFile(source, name)
		if err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o600)
	})
	if err != nil {
		return "", fmt.Errorf("write the Python runner: %w", err)
	}
	for name, code := range compiled {
		to := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return "", fmt.Errorf("write the compiled Python runner: %w", err)
		}
		if err := os.WriteFile(to, code, 0o600); err != nil {
			return "", fmt.Errorf("write the compiled Python runner: %w", err)
		}
	}
	return filepath.Join(folder, "main.py"), nil
}
