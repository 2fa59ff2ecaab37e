package python

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/framed"
	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/job"
)

// runner is the Python package that calls a user's functions. It needs Python 3.8 and its standard
// library.
//
//go:embed runner/main.py runner/bucketmill_runner/*.py
var runner embed.FS

// runnerFolder is the folder of the runner in a scratch folder.
const runnerFolder = ".bucketmill"

// Kind is the kind of Python files with map_fn, reduce_fn and perhaps combine_fn.
var Kind = program.Kind{
	Kind: job.Kind{Name: "python", Title: "Python file", Origin: job.OriginFile, Suffix: ".py", Rate: 10e6},
	Open: Open, Prepare: prepare, Imports: Modules,
	ShowKey: showKey, BinaryValues: true,
}

// showKey returns the text of a key that is a str, and any other key in its encoding.
func showKey(key []byte) []byte {
	if len(key) > 0 && key[0] == TextKey {
		return key[1:]
	}
	return key
}

// Open opens a Python file.
func Open(cfg program.Config, spec program.Spec, file string) (program.Program, error) {
	path, err := process.FindFile(file)
	if err != nil {
		return nil, err
	}
	if spec.Name == "" {
		spec.Name = filepath.Base(path)
	}
	files, err := process.FindFiles(spec.Files)
	if err != nil {
		return nil, err
	}
	return pythonAt(cfg.WithDefaults(), spec, path, files, newFinderOf(cfg)), nil
}

// pythonAt returns the program in the file at path.
func pythonAt(cfg program.Config, spec program.Spec, path string, files map[string]string, python *pythonFinder) *framed.Program {
	p := &framed.Program{
		Config: cfg, Spec: spec, Files: files, Reports: true,
		NewPairs: func(limit int64) framed.PairDecoder { return &pairs{limit: limit} },
		NewGroups: func(ready frames.Ready, write func(t frames.Type, parts ...[]byte) error) framed.GroupWriter {
			return &grouper{write: write, sum: ready.Sums}
		},
	}
	p.Command = func(ctx context.Context, a program.Attempt) ([]string, error) {
		found, err := python.find(ctx)
		if err != nil {
			return nil, err
		}
		var main string
		if err := a.User.As(func() (err error) {
			main, err = writeRunner(a.Scratch, found.compiled)
			return err
		}); err != nil {
			return nil, err
		}
		return []string{found.path, main, path, spec.Name}, nil
	}
	// Files beside the program are not part of it unless they are program files.
	p.Apart = func(folder string) (*framed.Program, error) {
		copies := map[string]string{}
		for name, file := range files {
			copies[name] = filepath.Join(folder, filepath.FromSlash(name))
			if err := copyFile(copies[name], file); err != nil {
				return nil, err
			}
		}
		alone := filepath.Join(folder, filepath.Base(path))
		if err := copyFile(alone, path); err != nil {
			return nil, err
		}
		return pythonAt(cfg.WithDefaults(), spec, alone, copies, python), nil
	}
	return p
}

// copyFile copies a file to a path where no file exists. It makes missing folders.
func copyFile(to, from string) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fmt.Errorf("copy the program: %w", err)
	}
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("copy the program: %w", err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("copy the program: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

// writeRunner writes the runner into scratch and returns the path of the file to start. Compiled
// are compiled modules to put beside the source.
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
