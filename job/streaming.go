package job

import (
	"fmt"
	"unicode/utf8"
)

// KindStreaming is the kind, and the program's name, of a job whose mapper is a command that reads
// and prints lines.
const KindStreaming = "streaming"

// Streaming reports whether the job's program consists of commands.
func (s *Spec) Streaming() bool {
	return s.Kind == KindStreaming || s.Mapper != "" || s.Combiner != "" || s.Reducer != ""
}

// maxCommand is the longest command, in bytes: the kernel takes it as an argument of sh -c.
const maxCommand = 64 << 10

// streamingProblems returns what is wrong with the job's commands, if it has any.
func (s *Spec) streamingProblems() (problems []string) {
	if !s.Streaming() {
		return nil
	}
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if s.Program != "" && s.Program != KindStreaming {
		bad("program is %q: a job has either a program or a mapper", s.Program)
	}
	if s.Kind != "" && s.Kind != KindStreaming {
		bad("kind is %q: mapper, combiner and reducer are for kind %s", s.Kind, KindStreaming)
	}
	if s.Mapper == "" {
		bad("mapper is missing; the command cat copies its lines")
	}
	for _, command := range []string{s.Mapper, s.Combiner, s.Reducer} {
		if len(command) > maxCommand || !utf8.ValidString(command) {
			bad("the command %.40q is longer than %d bytes, or not UTF-8", command, maxCommand)
		}
	}
	if s.Reducers != nil && *s.Reducers == 0 && (s.Reducer != "" || s.Combiner != "") {
		bad("reducers is 0: leave reducer and combiner out, or set reducers to at least 1")
	}
	if s.Combiner != "" && s.Reducer == "" {
		bad("combiner needs a reducer: without a reducer the output would depend on how often the combiner ran")
	}
	return problems
}
