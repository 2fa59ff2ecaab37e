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
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// jobFlags are the flags that describe a job. Each flag is also a field of the job file.
type jobFlags struct {
	file   string
	set    *pflag.FlagSet
	spec   job.Spec
	inputs []string // of spec, by URL
	// pflag can't write these to spec.
	params   []string
	files    []string
	reducers int
	timeout  job.Duration
}

func (f *jobFlags) register(fs *pflag.FlagSet) {
	f.set = fs
	fs.StringVarP(&f.file, "file", "f", "", "job file, YAML or JSON, - for standard input; flags override it, and its relative paths begin in its folder")
	fs.StringVar(&f.spec.Name, "name", "", "name of the job, for people")
	fs.StringVar(&f.spec.Mapper, "mapper", "", "command that reads lines and prints lines of key<TAB>value, instead of PROGRAM; no shell (use sh -c '…')")
	fs.StringVar(&f.spec.Combiner, "combiner", "", "command that reduces a part of the pairs early, for --mapper")
	fs.StringVar(&f.spec.Reducer, "reducer", "", "command that reads lines of key<TAB>value, sorted by key, for --mapper (default: these lines are the output)")
	fs.StringArrayVar(&f.files, "program-file", nil, "FILE[#NAME] or folder to send with the program: it is in the working folder, for Python also beside the program; repeatable")
	fs.StringArrayVarP(&f.inputs, "input", "i", nil, "file, folder, prefix or glob, as path or URL (s3://bucket/key); repeatable")
	fs.StringVarP(&f.spec.Output, "output", "o", "", "folder or prefix for the output, as path or URL")
	fs.StringVar(&f.spec.Format, "format", "", "input format: "+strings.Join(formats.Inputs.Names(), ", ")+" (default text)")
	fs.StringVar(&f.spec.Compression, "compression", "", "auto: decompress "+compressions()+", recognised by name or first bytes, and refuse other data that is not text; none: read the bytes as they are (default auto)")
	fs.IntVarP(&f.reducers, "reducers", "r", 0, "number of reducers, 0 for map only (default: one per 64 MiB of input; fewer beyond 16 GiB)")
	fs.Var(&f.spec.SortOrder, "sort-order", "partition: each part is sorted; total: the parts in sequence are sorted, too (default partition)")
	fs.BoolVar(&f.spec.SortValues, "sort-values", false, "sort the values of each key for the reducer: in byte order, for Python in Python's order")
	fs.IntVar(&f.spec.Maps, "maps", 0, "number of map tasks to aim for, instead of --split-size")
	fs.Var(&f.spec.SplitSize, "split-size", "bytes of input per map task (default: 4 to 64 MiB, by the size of the input and the number of slots; more beyond 16 GiB)")
	fs.StringArrayVarP(&f.params, "param", "p", nil, "parameter of the program, NAME=VALUE; repeatable")
	fs.BoolVar(&f.spec.Overwrite, "overwrite", false, "replace an existing output")
	fs.BoolVar(&f.spec.KeepIntermediates, "keep-intermediates", false, "keep the map tasks' segment files on the work store")
	fs.IntVar(&f.spec.Priority, "priority", 0, "-1000 to 1000; jobs with a higher priority run first")
	fs.IntVar(&f.spec.MaxAttempts, "max-attempts", 0, "attempts per task when the program fails (default 4)")
	fs.IntVar(&f.spec.SkipBadRecords, "skip-bad-records", 0, "skip up to this number of records on which the program fails, and save them to _skipped/ in the output (not for builtins)")
	f.timeout = job.Duration(job.DefaultTaskTimeout)
	fs.Var(&f.timeout, "task-timeout", "how long a task may make no progress: read or write no record, log no line; 0: no limit")
}

// compressions lists what is decompressed.
func compressions() string {
	var names []string
	for _, c := range formats.Inputs.Compressions {
		names = append(names, c.String())
	}
	return strings.Join(names, ", ")
}

// oneProgram allows at most one positional argument: the program, unless the job file or --mapper
// names it.
func oneProgram(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError{fmt.Errorf("name one program, not %s%s", firstFew(quoted(args), 4), argumentHint(args[1:]))}
	}
	return nil
}

// quoted returns the texts in quotes.
func quoted(texts []string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = strconv.Quote(text)
	}
	return all
}

// job assembles the spec and finds the kind of the program. programPath is the program's file;
// empty for a builtin and for commands.
func (f *jobFlags) job(args []string) (spec job.Spec, programPath string, err error) {
	if spec, err = f.assemble(args); err != nil {
		return spec, "", usageError{err}
	}
	programPath, err = detectKind(&spec)
	return spec, programPath, err
}

// detectKind sets the kind of the program and returns its file; empty for a builtin and for
// commands.
func detectKind(spec *job.Spec) (programPath string, err error) {
	if spec.Streaming() {
		kind := kinds.All().Jobs().First(job.OriginCommands)
		spec.Kind, spec.Program = kind.Name, kind.Name
		return "", nil
	}
	kind, err := kindOf(spec)
	if err == nil {
		spec.Kind, err = kind.Name, kind.Accepts(spec)
	}
	if err != nil {
		return "", usageError{err}
	}
	if kind.Origin != job.OriginFile {
		return "", nil
	}
	return spec.Program, nil
}

// kindOf returns the kind of a program, which the spec may name.
func kindOf(spec *job.Spec) (*program.Kind, error) {
	if spec.Kind == "" {
		return kinds.Detect(kinds.All(), spec.Program)
	}
	return kinds.All().Find(spec.Kind)
}

// assemble makes the spec from the job file and the flags, and makes its locations absolute.
func (f *jobFlags) assemble(args []string) (spec job.Spec, err error) {
	if len(args) > 0 && f.file == "" && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(args[0])) {
		return spec, fmt.Errorf("%s is not a program: did you mean --file %[1]s, for a job file?", args[0])
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
	return spec, makeAbsolute(&spec)
}

// overlay overrides the job file with the flags that were given.
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
			return fmt.Errorf("--param %q: use NAME=VALUE", p)
		}
		if spec.Params == nil {
			spec.Params = job.Params{}
		}
		spec.Params[name] = value
	}
	return nil
}

// makeAbsolute turns paths into URLs, so that they mean the same to every process.
func makeAbsolute(spec *job.Spec) error {
	inputs := slices.Clone(spec.Input) // the caller's slice must not change
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
