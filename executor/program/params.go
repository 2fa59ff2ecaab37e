package program

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bucketmill/bucketmill/job/yamltext"
)

// Info describes a program.
type Info struct {
	Name    string
	Summary string // one line
	// Reads says what a record must be, for a program that skips malformed ones; "" for all others.
	Reads  string
	Params []Param
}

// Param describes a parameter of a program.
type Param struct {
	Name string
	// Default is the value if none is given. A parameter without a default is required unless its
	// summary says otherwise.
	Default string
	Summary string // one line
}

// Params reads the parameters of a job. The methods return the zero value for a parameter that is
// not valid, and Err returns the first fault, so that a caller can read all of them and check once.
type Params struct {
	program string
	values  map[string]string
	err     error
}

// ReadParams fills in the defaults of info, and refuses parameters that info does not declare.
func ReadParams(info Info, given map[string]string) (*Params, error) {
	p := &Params{program: info.Name, values: map[string]string{}}
	var names []string
	for _, param := range info.Params {
		names = append(names, param.Name)
		p.values[param.Name] = param.Default
	}
	var unknown []string
	for name, value := range given {
		if !slices.Contains(names, name) {
			unknown = append(unknown, name)
			continue
		}
		p.values[name] = value
	}
	if len(unknown) == 0 {
		return p, nil
	}
	slices.Sort(unknown)
	return nil, unknownParams(info.Name, unknown, names)
}

func unknownParams(program string, unknown, names []string) error {
	noun := "parameter"
	if len(unknown) > 1 {
		noun = "parameters"
	}
	hint := "it has none"
	if len(names) > 0 {
		hint = "it has " + strings.Join(names, ", ")
		if near := yamltext.Nearest(unknown[0], names); near != "" {
			hint += "; did you mean " + near + "?"
		}
	}
	return fmt.Errorf("%s does not know the %s %s: %s", program, noun, strings.Join(unknown, ", "), hint)
}

func (p *Params) fail(name, want string) {
	if p.err == nil {
		p.err = fmt.Errorf("%s: parameter %s=%q: want %s", p.program, name, p.values[name], want)
	}
}

// Text returns a parameter as it is.
func (p *Params) Text(name string) string { return p.values[name] }

// Required returns a parameter that must not be empty. Want completes "want …" in the error.
func (p *Params) Required(name, want string) string {
	if p.values[name] == "" {
		p.fail(name, want)
	}
	return p.values[name]
}

// Flag returns a parameter that is true or false.
func (p *Params) Flag(name string) bool {
	v, err := strconv.ParseBool(p.values[name])
	if err != nil {
		p.fail(name, "true or false")
	}
	return v
}

// OneOf returns a parameter that must be one of choices.
func (p *Params) OneOf(name string, choices ...string) string {
	if !slices.Contains(choices, p.values[name]) {
		p.fail(name, strings.Join(choices, ", "))
	}
	return p.values[name]
}

// Separator returns a text that is not empty and has no line end.
func (p *Params) Separator(name string) []byte {
	if strings.ContainsAny(p.Required(name, "a text"), "\r\n") {
		p.fail(name, "a text without line ends")
	}
	return []byte(p.values[name])
}

// Fields returns a number of fields, at least 1.
func (p *Params) Fields(name string) int {
	n, err := strconv.Atoi(p.values[name])
	if err != nil || n < 1 {
		p.fail(name, "a whole number, at least 1")
	}
	return n
}

// Err returns the first fault of a parameter that was read, or nil.
func (p *Params) Err() error { return p.err }
