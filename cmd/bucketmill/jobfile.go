package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/executor/program/builtin"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
)

// readJobFile reads the job in a file, or in standard input if name is "-". Relative paths in a
// file begin in its folder, as in docker compose; those in standard input, or another stream, begin
// in the working folder.
func readJobFile(name string) (spec job.Spec, err error) {
	path := name
	if name == fromStdin {
		path = "/dev/stdin"
	}
	text, err := readLimited(path)
	if err != nil {
		return spec, fmt.Errorf("read the job file: %w", err)
	}
	if spec, err = jobfile.Parse(text); err != nil {
		return spec, fmt.Errorf("job file %s: %w", name, err)
	}
	if folder := filepath.Dir(path); folder != "." && !strings.HasPrefix(path, "/dev/") {
		rebasePaths(&spec, folder)
	}
	return spec, nil
}

// rebasePaths makes the relative paths of a job begin in a folder.
func rebasePaths(spec *job.Spec, folder string) {
	move := func(path string) string {
		if path == "" || filepath.IsAbs(path) || strings.Contains(path, "://") {
			return path
		}
		return strings.TrimSuffix(folder, "/") + "/" + path // not cleaned: a trailing slash has a meaning
	}
	for i := range spec.Input {
		spec.Input[i].URL = move(spec.Input[i].URL)
	}
	spec.Output = move(spec.Output)
	for i := range spec.ProgramFiles {
		spec.ProgramFiles[i].Source = move(spec.ProgramFiles[i].Source)
	}
	if programIsFile(spec) {
		spec.Program = move(spec.Program)
	}
}

// programIsFile reports whether the program is a file, and not a name that a kind of programs
// knows, or commands.
func programIsFile(spec *job.Spec) bool {
	kind, err := kinds.All().Find(spec.Kind)
	return kinds.All().Named(spec.Program) == nil && !spec.Streaming() && (err != nil || kind.Origin == job.OriginFile)
}

// refuseStreams refuses "-" as an input or output: these are files and folders.
func refuseStreams(spec job.Spec) error {
	if spec.Output == toStdout {
		return fmt.Errorf("output %q: a job writes a folder, not standard output; ./- is a folder of that name", spec.Output)
	}
	if slices.Contains(spec.InputURLs(), fromStdin) {
		return fmt.Errorf("input %q: a job reads files, not standard input; ./- is a file of that name", fromStdin)
	}
	return nil
}

// sortsNothing reports whether a job is a sort without reducers, which would do the sorting.
func sortsNothing(spec job.Spec) bool {
	return spec.Program == "sort" && spec.Kind == builtin.Kind.Name && spec.Reducers != nil && *spec.Reducers == 0
}

// argumentHint suggests what arguments after the program were meant to be.
func argumentHint(args []string) string {
	for _, arg := range args {
		if _, err := os.Stat(arg); err != nil {
			return ": name the input with --input and the output with --output"
		}
	}
	return ": name the input with --input, and quote a glob (--input '*.md') so that the shell does not expand it"
}
