package job

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Limits of the specs that a server accepts, sizes in bytes. Redis keeps the spec of every job for
// as long as it remembers the job. Large data belongs on the store; programs are sent as files.
const (
	MaxSpec      = 128 << 10 // of a spec as JSON
	MaxParams    = 1000
	MaxParamName = 256
	MaxParamText = 64 << 10 // names and values of all parameters together
	MaxInputs    = 2000
	MaxLocation  = 2048 // of one input, or the output
	MaxName      = 256  // of a job
)

// MaxAttempts is the highest limit of attempts at a task that a job may set.
const MaxAttempts = 100

// CheckLimits returns an error that wraps ErrSpec if the spec is too large for a server.
func (s *Spec) CheckLimits() error {
	var problems []string
	atMost := func(what string, n, most int) {
		if n > most {
			problems = append(problems, fmt.Sprintf("%s %d; at most %d are taken", what, n, most))
		}
	}
	total := 0
	for name, text := range s.Params {
		atMost(fmt.Sprintf("the bytes of the parameter name %.40q are", name), len(name), MaxParamName)
		total += len(name) + len(text)
	}
	atMost("the number of params is", len(s.Params), MaxParams)
	atMost("the bytes of all params are", total, MaxParamText)
	atMost("the number of inputs is", len(s.Input), MaxInputs)
	for _, location := range append(s.InputURLs(), s.Output) {
		atMost(fmt.Sprintf("the bytes of the location %.40q are", location), len(location), MaxLocation)
	}
	atMost("the bytes of name are", len(s.Name), MaxName)
	if len(problems) == 0 {
		text, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("encode job spec: %w", err)
		}
		atMost("the bytes of the spec as JSON are", len(text), MaxSpec)
	}
	if len(problems) == 0 {
		return nil
	}
	more := ""
	if len(problems) > 5 {
		problems, more = problems[:5], fmt.Sprintf("; and %d more", len(problems)-5)
	}
	return fmt.Errorf("%w: %s%s", ErrSpec, strings.Join(problems, "; "), more)
}
