package streaming

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/job"
)

// Name is the name of the kind, and of its programs.
const Name = job.KindStreaming

// The parameters of streaming programs, with Hadoop's names.
const (
	paramMapInput        = "stream.map.input.field.separator"
	paramMapIgnoreKey    = "stream.map.input.ignoreKey"
	paramMapOutput       = "stream.map.output.field.separator"
	paramMapKeyFields    = "stream.num.map.output.key.fields"
	paramReduceInput     = "stream.reduce.input.field.separator"
	paramReduceOutput    = "stream.reduce.output.field.separator"
	paramReduceKeyFields = "stream.num.reduce.output.key.fields"
	paramReporterPrefix  = "stream.stderr.reporter.prefix"
	paramExitIsFailure   = "stream.non.zero.exit.is.failure"
	paramPacedInput      = "stream.paced.input" // not Hadoop's
)

// Describe describes streaming programs and their parameters.
func Describe() program.Info {
	const tab = "\t"
	return program.Info{
		Name:    Name,
		Summary: "any commands that read and write lines, given by --mapper, --reducer and --combiner; other parameters become environment variables",
		Params: []program.Param{
			{Name: paramMapInput, Default: tab, Summary: "the text between key and value in a mapper's input"},
			{Name: paramMapIgnoreKey, Summary: "whether a mapper gets values without keys (default: true for text, jsonl and csv)"},
			{Name: paramMapOutput, Default: tab, Summary: "the text that ends a field of a mapper's output"},
			{Name: paramMapKeyFields, Default: "1", Summary: "how many of these fields are the key"},
			{Name: paramReduceInput, Default: tab, Summary: "the text between key and value in a reducer's input"},
			{Name: paramReduceOutput, Default: tab, Summary: "the text that ends a field of a reducer's output"},
			{Name: paramReduceKeyFields, Default: "1", Summary: "how many of these fields are the key"},
			{Name: paramReporterPrefix, Default: "reporter:", Summary: "the prefix of lines on standard error that report a counter or a status"},
			{Name: paramExitIsFailure, Default: "true", Summary: "whether a nonzero exit status fails the attempt"},
			{Name: paramPacedInput, Default: "true", Summary: "whether input is written with pauses, which saves processor time but may delay a command that could read faster"},
		},
	}
}

// Kind is the kind of commands that read and write lines.
var Kind = program.Kind{
	// Each task starts a new process that has nothing loaded yet, so few tasks for each slot.
	Kind:     job.Kind{Name: Name, Title: "commands", Origin: job.OriginCommands, MaxWaves: 2, Rate: 8e6, CheckSpec: checkCommands},
	Open:     Open,
	Programs: func() []program.Info { return []program.Info{Describe()} },
}

// checkCommands checks the commands and parameters of a spec.
func checkCommands(spec *job.Spec) error {
	s := program.SpecOf(spec)
	s.Files = nil // they are not on this machine
	_, err := open(program.Config{}, s)
	return err
}

// streaming is a program of commands that read and write lines.
type streaming struct {
	cfg      program.Config
	mapper   []string // arguments
	combiner []string
	reducer  []string
	files    map[string]string // absolute paths by the names in the working folder
	env      []string          // of the parameters
	path     string            // PATH

	mapInput, reduceInput   []byte // separators
	mapOutput, reduceOutput pairFormat
	ignoreKey               string // true, false, or empty: by the format
	reporterPrefix          string
	exitIsFailure           bool
	pacedInput              bool
}

// Open opens the commands of spec. They have no file.
func Open(cfg program.Config, spec program.Spec, _ string) (program.Program, error) {
	return open(cfg, spec)
}

func open(cfg program.Config, spec program.Spec) (*streaming, error) {
	p := &streaming{cfg: cfg.WithDefaults(), path: os.Getenv("PATH")}
	for _, c := range []struct {
		role, command string
		args          *[]string
	}{
		{"mapper", spec.Commands.Mapper, &p.mapper},
		{"combiner", spec.Commands.Combiner, &p.combiner},
		{"reducer", spec.Commands.Reducer, &p.reducer},
	} {
		if c.command == "" && c.role != "mapper" {
			continue
		}
		args, err := splitCommand(c.command)
		if err == nil {
			err = javaName(args[0])
		}
		if long := slices.IndexFunc(args, func(arg string) bool { return len(arg) > mostVariable }); err == nil && long >= 0 {
			err = fmt.Errorf("an argument has %d bytes; at most %d are allowed: send it as a file (--program-file)", len(args[long]), mostVariable)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.role, err)
		}
		*c.args = args
	}
	var err error
	if p.files, err = process.FindFiles(spec.Files); err != nil {
		return nil, err
	}
	return p, p.configure(spec.Params)
}

// javaName refuses names that mean a part of Hadoop, not a program.
func javaName(program string) error {
	switch {
	case program == "NONE":
		return errors.New("NONE is not supported; use --reducers 0 for a job without reducers")
	case program == "aggregate":
		return errors.New("the reducer aggregate of Hadoop is not supported; use the builtin program aggregate, or a script")
	case strings.HasPrefix(program, "org.apache.hadoop."):
		return fmt.Errorf("the Java class %s is not supported; use a command, or leave out --reducer to get the sorted pairs", program)
	}
	return nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ownVariables are set for every process. By HOME, processes that a program has left running are
// found.
var ownVariables = []string{"HOME", "TMPDIR"}

// configure reads the parameters.
func (p *streaming) configure(given map[string]string) error {
	known := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		variable := name
		if strings.Contains(name, ".") {
			known[name] = given[name]
			variable = environmentName(name)
		}
		switch {
		case !variableName.MatchString(variable):
			return fmt.Errorf("%s: %q is not a valid environment variable name", Name, name)
		case slices.Contains(ownVariables, name) || strings.HasPrefix(name, "mapreduce_") || strings.HasPrefix(name, "mapred_"):
			return fmt.Errorf("%s: the environment variable %s can't be a parameter: Bucketmill sets it for every process", Name, name)
		case strings.IndexByte(given[name], 0) >= 0:
			return fmt.Errorf("%s: parameter %s contains a NUL byte", Name, name)
		case name == "PATH":
			p.path = given[name]
		}
		p.env = append(p.env, variable+"="+given[name])
		if len(given[name]) > mostVariable {
			return fmt.Errorf("%s: parameter %s has %d bytes; as an environment variable it can have at most %d: send it as a file (--program-file)",
				Name, name, len(given[name]), mostVariable)
		}
	}
	if size := environmentSize(p.env, p.mapper, p.combiner, p.reducer); size > mostEnvironment {
		return fmt.Errorf("%s: the commands and the parameters, which become environment variables, have %d bytes; a process takes at most %d: send the large ones as files (--program-file)",
			Name, size, mostEnvironment)
	}
	params, err := program.ReadParams(Describe(), known)
	if err != nil {
		return err
	}
	p.mapInput, p.reduceInput = params.Separator(paramMapInput), params.Separator(paramReduceInput)
	p.mapOutput = pairFormat{separator: params.Separator(paramMapOutput), fields: params.Fields(paramMapKeyFields)}
	p.reduceOutput = pairFormat{separator: params.Separator(paramReduceOutput), fields: params.Fields(paramReduceKeyFields)}
	p.ignoreKey = params.OneOf(paramMapIgnoreKey, "", "true", "false")
	p.reporterPrefix = params.Required(paramReporterPrefix, "some text")
	p.exitIsFailure = params.Flag(paramExitIsFailure)
	p.pacedInput = params.Flag(paramPacedInput)
	return params.Err()
}

// What Linux passes to a process. One text may have 128 KiB, of which its name and its end take a
// little. All together may have a quarter of the stack's limit, which is mostly 8 MiB; some of that
// is for what we add.
const (
	mostVariable    = 120 << 10
	mostEnvironment = 1 << 20
)

// environmentSize returns about how many bytes texts take when they are passed to a process.
func environmentSize(lists ...[]string) (size int) {
	const pointer = 8
	for _, list := range lists {
		for _, text := range list {
			size += len(text) + 1 + pointer
		}
	}
	return size
}

// environmentName returns the environment variable of a parameter with dots in its name.
func environmentName(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			return c
		}
		return '_'
	}, name)
}

// Traits implements Program.
func (p *streaming) Traits() program.Traits { return program.Traits{Identity: p.reducer == nil} }

// Check searches for the commands' programs, as far as that is possible before the files are in a
// working folder.
func (p *streaming) Check(context.Context) error {
	for _, args := range [][]string{p.mapper, p.combiner, p.reducer} {
		if args == nil || p.files[filepath.Clean(args[0])] != "" {
			continue
		}
		if _, err := findCommand(args[0], os.DevNull, p.path); err != nil {
			return &program.UserError{Program: args[0], Message: err.Error()}
		}
	}
	return nil
}

// prepare fills the working folder of an attempt, and returns what its processes share.
func (p *streaming) prepare(ctx context.Context, a program.Attempt) (*streams, error) {
	if a.Progressed == nil {
		a.Progressed = func() {}
	}
	if a.Buffer <= 0 {
		a.Buffer = program.DefaultBuffer
	}
	if err := a.User.As(func() error { return process.LinkFiles(p.files, a.Scratch) }); err != nil {
		return nil, err
	}
	return &streams{
		program: p, ctx: ctx, attempt: a, reporter: newReporter(p.reporterPrefix, a.Progressed),
		killed: make(chan struct{}),
	}, nil
}
