package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// jobFlags are the flags that describe a job; each has its counterpart in the job file.
type jobFlags struct {
	file   string
	set    *pflag.FlagSet
	spec   job.Spec
	inputs []string // of spec, by URL
	// What pflag can't put into the spec by itself.
	params   []string
	files    []string
	reducers int
	timeout  job.Duration
}

func (f *jobFlags) register(fs *pflag.FlagSet) {
	f.set = fs
	fs.StringVarP(&f.file, "file", "f", "", "job file, YAML or JSON, - for standard input; flags win over it, and its paths begin in its folder")
	fs.StringVar(&f.spec.Name, "name", "", "name of the job, for people")
	fs.StringVar(&f.spec.Mapper, "mapper", "", "command that reads lines and prints lines of key<TAB>value, instead of PROGRAM; no shell (say sh -c '…')")
	fs.StringVar(&f.spec.Combiner, "combiner", "", "command that does a reducer's work on part of the pairs, for --mapper")
	fs.StringVar(&f.spec.Reducer, "reducer", "", "command that reads lines of key<TAB>value, sorted by key, for --mapper (default: they are the output)")
	fs.StringArrayVar(&f.files, "program-file", nil, "FILE[#NAME] or folder that is sent along: it stands in the working folder, for Python also beside the program; repeatable")
	fs.StringArrayVarP(&f.inputs, "input", "i", nil, "file, folder, prefix or glob, as path or URL (s3://bucket/key); repeatable")
	fs.StringVarP(&f.spec.Output, "output", "o", "", "folder or prefix for the output, as path or URL")
	fs.StringVar(&f.spec.Format, "format", "", "input format: "+strings.Join(formats.Inputs.Names(), ", ")+" (default text)")
	fs.StringVar(&f.spec.Compression, "compression", "", "auto: decompress what names or first bytes say is gzip, bzip2 or zstd, refuse other data that is no text; none: read the bytes as they are (default auto)")
	fs.IntVarP(&f.reducers, "reducers", "r", 0, "number of reducers, 0 for map only (default: one for 64 MiB of input; beyond 16 GiB fewer)")
	fs.Var(&f.spec.SortOrder, "sort-order", "partition: each part is sorted by itself; total: part after part, too (default partition)")
	fs.BoolVar(&f.spec.SortValues, "sort-values", false, "give a reducer the values of each key sorted by their bytes, Python's by Python's order")
	fs.IntVar(&f.spec.Maps, "maps", 0, "wanted number of map tasks, instead of --split-size")
	fs.Var(&f.spec.SplitSize, "split-size", "bytes of input per map task (default: by the input's size and the slots there are, 4 to 64 MiB; beyond 16 GiB more)")
	fs.StringArrayVarP(&f.params, "param", "p", nil, "k=v, a parameter of the program; repeatable")
	fs.BoolVar(&f.spec.Overwrite, "overwrite", false, "replace an output that exists")
	fs.BoolVar(&f.spec.KeepIntermediates, "keep-intermediates", false, "leave the map tasks' output on the work store")
	fs.IntVar(&f.spec.Priority, "priority", 0, "-1000 to 1000, higher goes first")
	fs.IntVar(&f.spec.MaxAttempts, "max-attempts", 0, "attempts per task when the program fails (default 4)")
	fs.IntVar(&f.spec.SkipBadRecords, "skip-bad-records", 0, "set up to so many records on which the program fails aside, in _skipped/ of the output (not for builtins)")
	f.timeout = job.Duration(job.DefaultTaskTimeout)
	fs.Var(&f.timeout, "task-timeout", "how long a task may make no progress: read or write no record, log no line; 0 for ever")
}

// oneProgram is the positional argument of the commands that take jobFlags, unless the job
// file names the program.
func oneProgram(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError{fmt.Errorf("one program is wanted, got %s%s", firstFew(quoted(args), 4), strayFiles(args[1:]))}
	}
	return nil
}

// quoted is every text in quotes.
func quoted(texts []string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = strconv.Quote(text)
	}
	return all
}

// job puts the spec together, and finds what the program is. ProgramPath is its file, empty
// for a builtin.
func (f *jobFlags) job(args []string) (spec job.Spec, programPath string, err error) {
	if spec, err = f.assemble(args); err != nil {
		return spec, "", usageError{err}
	}
	programPath, err = detect(&spec)
	return spec, programPath, err
}

// detect fills in what kind of program it is, and returns its file, empty for a builtin and for
// commands.
func detect(spec *job.Spec) (programPath string, err error) {
	if spec.Streaming() {
		spec.Kind, spec.Program = job.KindStreaming, job.KindStreaming
		return "", nil
	}
	if spec.Kind == "" {
		kind, err := program.Detect(spec.Program)
		if err != nil {
			return "", usageError{err}
		}
		spec.Kind = string(kind)
	}
	if program.Kind(spec.Kind) == program.Builtin {
		if err := spec.Validate(); err != nil { // it takes no files
			return "", usageError{err}
		}
		return "", nil
	}
	return spec.Program, nil
}

// assemble puts the spec together from the job file and the flags, and makes its locations
// absolute.
func (f *jobFlags) assemble(args []string) (spec job.Spec, err error) {
	if len(args) > 0 && f.file == "" && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(args[0])) {
		return spec, fmt.Errorf("%s is not a program: did you mean --file %[1]s, as for a job file?", args[0])
	}
	if f.file != "" {
		if spec, err = readJobFile(f.file); err != nil {
			return spec, err
		}
	}
	if err := f.overlay(&spec); err != nil {
		return spec, err
	}
	if len(args) > 0 {
		spec.Program, spec.Kind = args[0], ""
	}
	if err := refuseStreams(spec); err != nil {
		return spec, err
	}
	if err := spec.Validate(); err != nil {
		return spec, err
	}
	if _, err := formats.Inputs.Parse(spec.Format, spec.Compression); err != nil {
		return spec, err
	}
	return spec, absolute(&spec)
}

// overlay puts the flags that were given over what the job file says.
func (f *jobFlags) overlay(spec *job.Spec) error {
	given := func(name string, apply func()) {
		if f.set.Changed(name) {
			apply()
		}
	}
	given("name", func() { spec.Name = f.spec.Name })
	given("mapper", func() { spec.Mapper = f.spec.Mapper })
	given("combiner", func() { spec.Combiner = f.spec.Combiner })
	given("reducer", func() { spec.Reducer = f.spec.Reducer })
	given("input", func() { spec.Input = job.Inputs(f.inputs...) })
	given("output", func() { spec.Output = f.spec.Output })
	given("format", func() { spec.Format = f.spec.Format })
	given("compression", func() { spec.Compression = f.spec.Compression })
	given("reducers", func() { spec.Reducers = &f.reducers })
	given("sort-order", func() { spec.SortOrder = f.spec.SortOrder })
	given("sort-values", func() { spec.SortValues = f.spec.SortValues })
	given("maps", func() { spec.Maps, spec.SplitSize = f.spec.Maps, 0 })
	given("split-size", func() { spec.SplitSize, spec.Maps = f.spec.SplitSize, f.spec.Maps })
	given("overwrite", func() { spec.Overwrite = f.spec.Overwrite })
	given("keep-intermediates", func() { spec.KeepIntermediates = f.spec.KeepIntermediates })
	given("priority", func() { spec.Priority = f.spec.Priority })
	given("task-timeout", func() { spec.TaskTimeout = &f.timeout })
	given("max-attempts", func() { spec.MaxAttempts = f.spec.MaxAttempts })
	given("webhook", func() { spec.Webhook = f.spec.Webhook })
	given("skip-bad-records", func() { spec.SkipBadRecords = f.spec.SkipBadRecords })
	if len(f.files) > 0 {
		spec.ProgramFiles = nil
	}
	for _, text := range f.files {
		file, err := job.ParseProgramFile(text)
		if err != nil {
			return fmt.Errorf("--program-file: %w", err)
		}
		spec.ProgramFiles = append(spec.ProgramFiles, file)
	}
	for _, p := range f.params {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return fmt.Errorf("--param %q: want name=value", p)
		}
		if spec.Params == nil {
			spec.Params = job.Params{}
		}
		spec.Params[name] = value
	}
	return nil
}

// absolute makes URLs of paths, so that every process means the same by them.
func absolute(spec *job.Spec) error {
	inputs := slices.Clone(spec.Input) // the caller's slice stays as it is
	for i, in := range inputs {
		u, err := objstore.ParseURL(in.URL)
		if err != nil {
			return fmt.Errorf("input: %w", err)
		}
		inputs[i].URL = u.String()
	}
	u, err := objstore.ParseURL(spec.Output)
	if err == nil {
		err = u.CheckOutput(layout.LongestName)
	}
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	spec.Input, spec.Output = inputs, u.String()
	return nil
}
