package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// bench has what the cases share.
type bench struct {
	options
	log io.Writer

	repository string // folder of the sources
	folder     string // for the output of runs; removed at the end
	bucketmill string // path of the program
	baseline   string // path of the program
	wordCount  string // path of the word count in Go, a Bucketmill program

	closers []func() error // of the current case; called in reverse order
}

// newBench builds the programs.
func newBench(ctx context.Context, o options, log io.Writer) (*bench, error) {
	if _, err := readProcess(os.Getpid()); err != nil {
		return nil, fmt.Errorf("bench needs Linux's /proc: %w", err)
	}
	b := &bench{options: o, log: log}
	var err error
	if b.repository, err = repositoryRoot(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(b.data, 0o755); err != nil {
		return nil, err
	}
	if b.folder, err = os.MkdirTemp(b.data, "run-"); err != nil {
		return nil, err
	}
	b.bucketmill, b.baseline = filepath.Join(b.folder, "bucketmill"), filepath.Join(b.folder, "baseline")
	b.wordCount = filepath.Join(b.folder, "wordcount-go")
	for path, source := range map[string]string{
		b.bucketmill: "./cmd/bucketmill", b.baseline: "./cmd/bench/baseline", b.wordCount: "./examples/wordcount-go",
	} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, source)
		build.Dir, build.Env = b.repository, append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			return nil, errors.Join(fmt.Errorf("build %s: %w\n%s", source, err, text), b.close())
		}
	}
	return b, nil
}

// repositoryRoot returns the nearest folder with a go.mod: the working folder or a parent.
func repositoryRoot() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("no go.mod in this folder or its parents: run bench in a clone of the repository")
		}
		folder = parent
	}
}

func (b *bench) close() error { return os.RemoveAll(b.folder) }

// atEnd calls f when the current case ends.
func (b *bench) atEnd(f func() error) { b.closers = append(b.closers, f) }

func (b *bench) endCase() (err error) {
	for i := len(b.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, b.closers[i]())
	}
	b.closers = nil
	return err
}

// scaled returns a number of bytes or tasks at the requested scale.
func (b *bench) scaled(full, least int64) int64 { return max(least, int64(float64(full)*b.size)) }

// path returns the path of a file or folder that a contender writes.
func (b *bench) path(name string) string { return filepath.Join(b.folder, name) }

// generate makes sample data, unless it exists, and returns the path of its only file.
func (b *bench) generate(ctx context.Context, kind, file string, size int64, args ...string) (string, error) {
	name := strings.Join(append([]string{kind, strconv.FormatInt(size, 10)}, args...), "-")
	folder := filepath.Join(b.data, name)
	made := filepath.Join(folder, file)
	if _, err := os.Stat(made); err == nil {
		return made, nil
	}
	partial := b.path("partial-" + name)
	if err := b.generateTo(ctx, partial, nil, kind, size, args...); err != nil {
		return "", err
	}
	return made, os.Rename(partial, folder)
}

// generateTo makes sample data in a folder or bucket.
func (b *bench) generateTo(ctx context.Context, place string, env []string, kind string, size int64, args ...string) error {
	fmt.Fprintf(b.log, "generating %d bytes of %s\n", size, kind)
	args = append([]string{"generate", kind, "--output", place, "--size", strconv.FormatInt(size, 10)}, args...)
	_, err := b.measure(ctx, command{name: b.bucketmill, args: args, env: env})
	return err
}

// memoryFolder makes a folder in memory, if the system can, for what is measured without the disk.
// It is removed at the end of the case.
func (b *bench) memoryFolder() (string, error) {
	const shared = "/dev/shm"
	parent := b.folder
	if info, err := os.Stat(shared); err == nil && info.IsDir() {
		parent = shared
	}
	folder, err := os.MkdirTemp(parent, "bucketmill-bench-")
	if err == nil {
		b.atEnd(func() error { return os.RemoveAll(folder) })
	}
	return folder, err
}
