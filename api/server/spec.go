package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/controller/planner"
	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/job"
)

// The kinds of programs, as package program names them.
const (
	kindBuiltin = "builtin"
	kindPython  = "python"
	kindExec    = "exec"
)

// maxName is the longest name of a job or a program, in bytes.
const maxName = 256

// check checks what can be known before the program's files are stored, and writes locations in their one form.
func (s *submission) check(ctx context.Context) error {
	spec := &s.spec
	if err := spec.Validate(); err != nil {
		return newProblem(api.CodeInvalidSpec, "%w", err)
	}
	if err := s.checkLimits(spec, s.who); err != nil {
		return err
	}
	if _, err := formats.Inputs.Parse(spec.Format, spec.Compression); err != nil {
		return newProblem(api.CodeInvalidSpec, "%w", err)
	}
	for _, name := range []string{spec.Name, spec.Program} {
		if len(name) > maxName && !isReference(name) || !utf8.ValidString(name) || strings.ContainsFunc(name, pretends) {
			return newProblem(api.CodeInvalidSpec, "the name %.40q is longer than %d bytes or has control characters", name, maxName)
		}
	}
	if err := s.places.checkJob(spec, s.who); err != nil {
		return err
	}
	if strings.ContainsFunc(spec.Output, pretends) {
		return newProblem(api.CodeInvalidLocation, "the output %.200q has control characters, or others that change how text is shown", spec.Output)
	}
	err := planner.CheckOverlap(ctx, s.cfg.Open, *spec)
	if errors.Is(err, planner.ErrOverlap) {
		return newProblem(api.CodeInvalidLocation, "%w", err).WithHint("")
	}
	return err
}

// pretends reports whether a character changes how a terminal or page shows the text around it: control characters,
// line separators, and those that turn the direction of text or can't be seen. The joiners of some scripts, and of
// pictures, do no harm.
func pretends(r rune) bool {
	const joiner, nonJoiner = 0x200d, 0x200c
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) && r != joiner && r != nonJoiner
}

// complete fills in the kind of the program, once its files are stored, and checks its parameters where it can. It runs
// no user code.
func (s *submission) complete(context.Context) error {
	switch {
	case s.spec.Streaming():
		return s.completeStreaming()
	case s.spec.Artifact == nil:
		return s.completeBuiltin()
	}
	return s.completeProgram()
}

// completeBuiltin completes the spec of a builtin.
func (s *submission) completeBuiltin() error {
	const hint = "send %s as the part named program, or put it on the store and name it by URL in the field program"
	spec := &s.spec
	if spec.Kind != "" && spec.Kind != kindBuiltin {
		return newProblem(api.CodeInvalidSpec, "a program of kind %q needs a file, and none was sent", spec.Kind).
			WithHint(fmt.Sprintf(hint, "it"))
	}
	spec.Kind = kindBuiltin
	if len(spec.ProgramFiles) > 0 {
		return newProblem(api.CodeInvalidSpec, "the builtin program %s takes no program files", spec.Program).
			WithHint(fmt.Sprintf(hint, "the program that they belong to"))
	}
	if s.cfg.CheckBuiltin == nil {
		return nil
	}
	if err := s.cfg.CheckBuiltin(spec.Program, spec.Params); err != nil {
		return newProblem(api.CodeInvalidSpec, "%w", err)
	}
	return nil
}

// completeProgram completes the spec of a program with a file.
func (s *submission) completeProgram() error {
	spec := &s.spec
	if !job.PlainFileName(spec.Program) {
		return newProblem(api.CodeInvalidSpec, "%q is not a valid name of a program's file", spec.Program)
	}
	if err := s.checkFiles(); err != nil {
		return err
	}
	switch spec.Kind {
	case kindPython, kindExec:
	case "":
		spec.Kind = kindExec
		if strings.HasSuffix(spec.Program, ".py") {
			spec.Kind = kindPython
		}
	default:
		return newProblem(api.CodeInvalidSpec, "a program's file can't be of kind %q: it must be python or exec", spec.Kind)
	}
	return nil
}

// completeStreaming completes the spec of a job of commands. It checks their form, and the parameters.
func (s *submission) completeStreaming() error {
	if s.spec.Artifact != nil {
		return newProblem(api.CodeInvalidSpec, "a job with a mapper has no program").WithHint("send its files as parts named file")
	}
	if err := s.checkFiles(); err != nil {
		return err
	}
	s.spec.Kind, s.spec.Program = job.KindStreaming, job.KindStreaming
	if s.cfg.CheckStreaming == nil {
		return nil
	}
	if err := s.cfg.CheckStreaming(s.spec); err != nil {
		return newProblem(api.CodeInvalidSpec, "%w", err)
	}
	return nil
}

// checkFiles validates the spec again, with the files that were sent although it did not name them.
func (s *submission) checkFiles() error {
	if err := s.spec.Validate(); err != nil {
		return newProblem(api.CodeInvalidSpec, "%w", err)
	}
	return nil
}
