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

// maxName is the longest name of a job or a program, in bytes.
const maxName = 256

// check checks what can be known before the program's files are stored, and writes locations in
// their one form.
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

// pretends reports whether a character changes how a terminal or page shows the text around it:
// control characters, line separators, and those that turn the direction of text or can't be seen.
// The joiners of some scripts, and of pictures, do no harm.
func pretends(r rune) bool {
	const joiner, nonJoiner = 0x200d, 0x200c
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) && r != joiner && r != nonJoiner
}

// complete fills in the kind of the program, once its files are stored, and checks what can be
// checked without running user code.
func (s *submission) complete(context.Context) error {
	kind, err := s.kind()
	if err != nil {
		return err
	}
	spec := &s.spec
	if kind.Origin == job.OriginFile && !job.PlainFileName(spec.Program) {
		return newProblem(api.CodeInvalidSpec, "%q is not a valid name of a program's file", spec.Program)
	}
	if err := spec.Validate(); err != nil { // again, with the files that were sent although the spec did not name them
		return newProblem(api.CodeInvalidSpec, "%w", err)
	}
	spec.Kind = kind.Name
	if kind.Origin == job.OriginCommands {
		spec.Program = kind.Name
	}
	if err := kind.Accepts(spec); err != nil {
		return newProblem(api.CodeInvalidSpec, "%w", err).
			WithHint(fmt.Sprintf(hintProgram, "the program that they belong to"))
	}
	if kind.CheckSpec == nil {
		return nil
	}
	if err := kind.CheckSpec(spec); err != nil {
		return newProblem(api.CodeInvalidSpec, "%w", err)
	}
	return nil
}

// hintProgram is the hint how to send a program.
const hintProgram = "send %s as the part named program, or put it on the store and name it by URL in the field program"

// kind returns the kind of the program: the one that the spec names, or the one that the program
// looks like. Programs of kinds that need a file have one, and no others do.
func (s *submission) kind() (*job.Kind, error) {
	spec, kinds := &s.spec, s.cfg.Kinds
	if spec.Streaming() {
		if spec.Artifact != nil {
			return nil, newProblem(api.CodeInvalidSpec, "a job with a mapper has no program").WithHint("send its files as parts named file")
		}
		return found(kinds.First(job.OriginCommands))
	}
	var kind *job.Kind
	if spec.Kind != "" {
		var err error
		if kind, err = kinds.Find(spec.Kind); err != nil {
			return nil, newProblem(api.CodeInvalidSpec, "%w", err)
		}
	}
	switch {
	case spec.Artifact == nil && kind == nil:
		return found(kinds.First(job.OriginName))
	case spec.Artifact == nil && kind.Origin == job.OriginFile:
		return nil, newProblem(api.CodeInvalidSpec, "a program of kind %q needs a file, and none was sent", spec.Kind).
			WithHint(fmt.Sprintf(hintProgram, "it"))
	case spec.Artifact != nil && kind == nil:
		return found(kinds.OfFile(spec.Program))
	case spec.Artifact != nil && kind.Origin != job.OriginFile:
		return nil, newProblem(api.CodeInvalidSpec, "a program's file can't be of kind %q: it must be %s",
			spec.Kind, strings.Join(kinds.Names(job.OriginFile), " or "))
	}
	return kind, nil
}

// found returns a kind, or an error if it is nil.
func found(kind *job.Kind) (*job.Kind, error) {
	if kind == nil {
		return nil, newProblem(api.CodeInvalidSpec, "this server has no kind of programs for this spec")
	}
	return kind, nil
}
