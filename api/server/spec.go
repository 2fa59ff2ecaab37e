package server

import (
	"context"
	"errors"
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

// checkSpec checks what can be known without the program, and writes locations in their one
// form.
func (s *Server) checkSpec(ctx context.Context, spec *job.Spec, who caller) error {
	if err := spec.Validate(); err != nil {
		return newProblem(api.CodeInvalidSpec, "%w", err)
	}
	if err := s.checkLimits(spec, who); err != nil {
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
	if err := s.places.checkJob(spec, who); err != nil {
		return err
	}
	if strings.ContainsFunc(spec.Output, pretends) {
		return newProblem(api.CodeInvalidLocation, "the output %.200q has control characters, or such that change how text is shown", spec.Output)
	}
	err := planner.CheckOverlap(ctx, s.cfg.Open, *spec)
	if errors.Is(err, planner.ErrOverlap) {
		return newProblem(api.CodeInvalidLocation, "%w", err).WithHint("")
	}
	return err
}

// pretends tells whether a character changes how a terminal or page shows what stands around it: control characters,
// line separators, and those that turn the direction of text or can't be seen. The joiners of some scripts, and of
// pictures, do no harm.
func pretends(r rune) bool {
	const joiner, nonJoiner = 0x200d, 0x200c
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) && r != joiner && r != nonJoiner
}

// settleProgram fills in what kind of program it is, once its file is stored if it has one,
// and checks a builtin's parameters. It runs no user code.
func (s *Server) settleProgram(spec *job.Spec) error {
	if spec.Streaming() {
		return s.settleStreaming(spec)
	}
	if spec.Artifact == nil {
		if spec.Kind != "" && spec.Kind != kindBuiltin {
			return newProblem(api.CodeInvalidSpec, "a program of kind %q needs a file, and none came", spec.Kind).
				WithHint("send it as the part named program, or put it on the store and name it by URL in the field program")
		}
		spec.Kind = kindBuiltin
		if len(spec.ProgramFiles) > 0 {
			return newProblem(api.CodeInvalidSpec, "the builtin program %s takes no program files", spec.Program).
				WithHint("send the program that they belong to as the part named program, or put it on the store and name it by URL in the field program")
		}
		if s.cfg.CheckBuiltin == nil {
			return nil
		}
		if err := s.cfg.CheckBuiltin(spec.Program, spec.Params); err != nil {
			return newProblem(api.CodeInvalidSpec, "%w", err)
		}
		return nil
	}
	if !job.PlainFileName(spec.Program) {
		return newProblem(api.CodeInvalidSpec, "%q can't be the name of a program's file", spec.Program)
	}
	if err := spec.Validate(); err != nil { // once more, with the files that came unasked
		return newProblem(api.CodeInvalidSpec, "%w", err)
	}
	switch spec.Kind {
	case kindPython, kindExec:
	case "":
		spec.Kind = kindExec
		if strings.HasSuffix(spec.Program, ".py") {
			spec.Kind = kindPython
		}
	default:
		return newProblem(api.CodeInvalidSpec, "a program's file can't be of kind %q: python or exec", spec.Kind)
	}
	return nil
}

// settleStreaming checks commands by their form, and what parameters they take.
func (s *Server) settleStreaming(spec *job.Spec) error {
	if spec.Artifact != nil {
		return newProblem(api.CodeInvalidSpec, "a job with a mapper has no program").WithHint("send its files as parts named file")
	}
	if err := spec.Validate(); err != nil { // once more, with the files that came unasked
		return newProblem(api.CodeInvalidSpec, "%w", err)
	}
	spec.Kind, spec.Program = job.KindStreaming, job.KindStreaming
	if s.cfg.CheckStreaming == nil {
		return nil
	}
	if err := s.cfg.CheckStreaming(*spec); err != nil {
		return newProblem(api.CodeInvalidSpec, "%w", err)
	}
	return nil
}
