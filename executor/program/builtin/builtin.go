package builtin

import (
	"fmt"
	"strings"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/yamltext"
)

// Kind is the kind of the programs that come with Bucketmill and run in the executor's process.
var Kind = program.Kind{
	Kind: job.Kind{Name: "builtin", Title: "builtin", Origin: job.OriginName, InProcess: true, CheckSpec: checkSpec, Reads: Reads},
	Open: Open, Programs: All,
}

// checkSpec checks a builtin's name and parameters.
func checkSpec(spec *job.Spec) error {
	_, err := Open(program.Config{}, program.SpecOf(spec), "")
	return err
}

// All returns the descriptions of all builtins, sorted by name.
func All() []program.Info {
	infos := make([]program.Info, len(builtins))
	for i, b := range builtins {
		infos[i] = b.info
	}
	return infos
}

type builtin struct {
	info program.Info
	open func(*program.Params) (program.Program, error)
}

// builtins is sorted by name, and constant.
var builtins = []builtin{
	accessLogBuiltin,
	activityBuiltin,
	aggregateBuiltin,
	distinctBuiltin,
	grepBuiltin,
	indexBuiltin,
	sortBuiltin,
	wordCountBuiltin,
}

func findBuiltin(name string) (builtin, bool) {
	for _, b := range builtins {
		if b.info.Name == name {
			return b, true
		}
	}
	return builtin{}, false
}

// Reads returns Info.Reads of a builtin; "" if there is no builtin of that name.
func Reads(name string) string {
	b, _ := findBuiltin(name)
	return b.info.Reads
}

// Open returns the builtin that spec names. It needs neither a Config nor a file.
func Open(_ program.Config, spec program.Spec, _ string) (program.Program, error) {
	b, ok := findBuiltin(spec.Name)
	if !ok {
		return nil, Unknown(spec.Name)
	}
	p, err := program.ReadParams(b.info, spec.Params)
	if err != nil {
		return nil, err
	}
	opened, err := b.open(p)
	if err != nil {
		return nil, err
	}
	if p.Err() != nil {
		return nil, p.Err()
	}
	return opened, nil
}

// malformed counts the malformed records that a program skips. With strict, the first one is an
// error.
type malformed struct {
	strict  bool
	program string
	records int64
}

// skip counts a record; with strict, it returns an error that shows the record.
func (m *malformed) skip(b *record.Batch, offset int64, record []byte, why string) error {
	if m.strict {
		return recordError(m.program, b, offset, record, "malformed record: %s", why)
	}
	m.records++
	return nil
}

// Counters implements Counting. The controller uses this counter; see job.Malformed.
func (m *malformed) Counters() map[string]int64 {
	return map[string]int64{"malformed records": m.records}
}

var strictParam = program.Param{
	Name: "strict", Default: "false",
	Summary: "fail at the first malformed record instead of counting and skipping it",
}

// recordError returns a UserError about one input record.
func recordError(name string, b *record.Batch, offset int64, value []byte, format string, args ...any) *program.UserError {
	return &program.UserError{
		Program: name,
		Message: fmt.Sprintf(format, args...),
		Record:  &program.RecordRef{Input: b.Input, Offset: offset, Value: record.Preview(value)},
	}
}

// Unknown returns the error about a program that does not exist. It names the builtins.
func Unknown(arg string) error {
	names := make([]string, len(builtins))
	for i, b := range builtins {
		names[i] = b.info.Name
	}
	hint := ""
	if near := yamltext.Nearest(arg, names); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return fmt.Errorf("no program %q: there is no such file, and the builtins are %s%s",
		arg, strings.Join(names, ", "), hint)
}
