package program

import (
	"github.com/bucketmill/bucketmill/internal/record"
)

// Info describes a builtin.
type Info struct {
	Name    string
	Summary string // one line
	// Reads says what a record must be, of a builtin that passes over malformed ones; else empty.
	Reads  string
	Params []Param
}

// Param describes a parameter of a builtin.
type Param struct {
	Name string
	// Default is the value when none is given; a parameter without one is required unless
	// its summary says otherwise.
	Default string
	Summary string // one line
}

// Builtins returns what there is, sorted by name.
func Builtins() []Info {
	infos := make([]Info, len(builtins))
	for i, b := range builtins {
		infos[i] = b.info
	}
	return infos
}

type builtin struct {
	info Info
	open func(*params) (Program, error)
}

// builtins is sorted by name, and not changed.
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

// Reads returns Info.Reads of a builtin; empty if there is none of that name.
func Reads(name string) string {
	b, _ := findBuiltin(name)
	return b.info.Reads
}

func openBuiltin(spec Spec) (Program, error) {
	b, ok := findBuiltin(spec.Name)
	if !ok {
		return nil, unknownProgram(spec.Name)
	}
	p, err := readParams(b.info, spec.Params)
	if err != nil {
		return nil, err
	}
	opened, err := b.open(p)
	if err != nil {
		return nil, err
	}
	if p.err != nil {
		return nil, p.err
	}
	return opened, nil
}

// malformed counts input records that a program can't use and passes over, unless it was
// told to be strict.
type malformed struct {
	strict  bool
	program string
	records int64
}

// skip counts a record, or, being strict, returns an error that shows it.
func (m *malformed) skip(b *record.Batch, offset int64, record []byte, why string) error {
	if m.strict {
		return recordError(m.program, b, offset, record, "malformed record: %s", why)
	}
	m.records++
	return nil
}

// Counters implements Counting. The controller knows this one, see job.Malformed.
func (m *malformed) Counters() map[string]int64 {
	return map[string]int64{"malformed records": m.records}
}

var strictParam = Param{
	Name: "strict", Default: "false",
	Summary: "fail at the first malformed record instead of counting and skipping it",
}
