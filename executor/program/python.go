package program

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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
	python := &interpreter{python: cfg.Python, found: cfg.interpreter}
	return &guestProgram{
		cfg: cfg, spec: spec,
		command: func(ctx context.Context, scratch string) ([]string, error) {
			found, err := python.path(ctx)
			if err != nil {
				return nil, err
			}
			main, err := writeRunner(scratch)
			if err != nil {
				return nil, err
			}
			return []string{found, main, path, spec.Name}, nil
		},
	}, nil
}

// interpreter is a Python by any name, found when it is first needed.
type interpreter struct {
	python string
	mu     sync.Mutex
	found  string
}

// path returns the interpreter's own path.
func (i *interpreter) path(ctx context.Context) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.found != "" {
		return i.found, nil
	}
	found, err := findInterpreter(ctx, i.python)
	if err != nil {
		return "", err
	}
	i.found = found
	return found, nil
}

// FindPython returns c with its interpreter found and seen to be fit, so that not every
// Open has to do that again: the way through a shim such as pyenv's takes longer than a start of
// Python itself.
func (c Config) FindPython(ctx context.Context) (Config, error) {
	found, err := findInterpreter(ctx, c.withDefaults().Python)
	c.interpreter = found
	return c, err
}

// findInterpreter asks python for its own path and version.
func findInterpreter(ctx context.Context, python string) (string, error) {
	const question = "import sys; print(sys.executable, '%d.%d' % sys.version_info[:2], int(sys.version_info >= (3, 8)), sep='\\n')"
	cmd := exec.CommandContext(ctx, python, "-c", question)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", errors.Join(
			fmt.Errorf("find the Python interpreter %s: %w: %s", python, err, strings.TrimSpace(stderr.String())),
			context.Cause(ctx))
	}
	answer := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(answer) != 3 || !filepath.IsAbs(answer[0]) {
		return "", fmt.Errorf("%s does not seem to be a Python interpreter: it answered %q", python, out)
	}
	if answer[2] != "1" {
		return "", fmt.Errorf("the Python interpreter %s is version %s; 3.8 or newer is needed", answer[0], answer[1])
	}
	return answer[0], nil
}

// writeRunner writes the runner into scratch and returns the file to start.
func writeRunner(scratch string) (string, error) {
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
	return filepath.Join(folder, "main.py"), nil
}
