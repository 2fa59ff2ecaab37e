package job

import (
	"fmt"
	"strings"
)

// Kind is what controllers, the HTTP API and the command line know about a kind of programs.
// Executors know more about it: package program.
type Kind struct {
	// Name is the kind's name in a Spec.
	Name string
	// Title is what people call a program of the kind, such as "Python file".
	Title string
	// Origin says what a Spec gives as the program.
	Origin Origin
	// Suffix is the end of the names of program files, such as ".py"; "" means any executable
	// file. For OriginFile only.
	Suffix string
	// InProcess says that programs run in the executor's process, so that no record on which they
	// fail is skipped.
	InProcess bool
	// MaxWaves bounds how many map tasks after one another the planner gives each slot; 0 means the
	// planner's own limit. A kind whose tasks are expensive to start has fewer.
	MaxWaves int
	// Rate is what the cost model assumes that a core reads, maps and reduces, in bytes of input
	// per second; 0: it depends on the program.
	Rate float64
	// CheckSpec checks a spec without running user code; nil accepts any.
	CheckSpec func(spec *Spec) error
	// Reads returns what a record must be, for a program that skips malformed ones; "" for all
	// others. Nil: none does.
	Reads func(program string) string
}

// Origin says what a spec gives as its program.
type Origin uint8

// Origins of programs.
const (
	OriginName     Origin = iota // a name that the kind knows
	OriginFile                   // a program file
	OriginCommands               // commands, in the fields mapper, combiner and reducer
)

// Accepts returns an ErrSpec if the spec asks for something that the kind does not have: program
// files, for programs that are not files themselves.
func (k *Kind) Accepts(spec *Spec) error {
	if k.Origin == OriginName && len(spec.ProgramFiles) > 0 {
		return fmt.Errorf("%w: the %s program %s takes no program files", ErrSpec, k.Name, spec.Program)
	}
	return nil
}

// Kinds are all kinds of programs that there are. Of two that fit a program file, the first one
// counts.
type Kinds []Kind

// Find returns the kind of a name.
func (k Kinds) Find(name string) (*Kind, error) {
	for i := range k {
		if k[i].Name == name {
			return &k[i], nil
		}
	}
	return nil, fmt.Errorf("%.40q is not a kind of program: it must be one of %s", name, strings.Join(k.names(func(*Kind) bool { return true }), ", "))
}

// First returns the first kind of an origin, or nil.
func (k Kinds) First(origin Origin) *Kind {
	for i := range k {
		if k[i].Origin == origin {
			return &k[i]
		}
	}
	return nil
}

// OfFile returns the kind of a program file by its name, or nil.
func (k Kinds) OfFile(name string) *Kind {
	for i := range k {
		if k[i].Origin == OriginFile && strings.HasSuffix(name, k[i].Suffix) {
			return &k[i]
		}
	}
	return nil
}

// Names returns the names of the kinds of an origin.
func (k Kinds) Names(origin Origin) []string {
	return k.names(func(kind *Kind) bool { return kind.Origin == origin })
}

func (k Kinds) names(want func(*Kind) bool) (names []string) {
	for i := range k {
		if want(&k[i]) {
			names = append(names, k[i].Name)
		}
	}
	return names
}
