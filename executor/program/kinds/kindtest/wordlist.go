// Package kindtest is a kind of programs that exists for tests only. Begin a new kind with a copy
// of it.
//
// A program is a file "NAME.words" with one word on each line. It counts these words in its input,
// and no others.
package kindtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/job"
)

// Kind is the line in the table.
var Kind = program.Kind{
	Kind: job.Kind{
		Name: "wordlist", Title: "word list", Origin: job.OriginFile, Suffix: ".words",
		InProcess: true, MaxWaves: 1, Rate: 50e6, CheckSpec: checkSpec,
	},
	Open: open,
}

// checkSpec refuses parameters, since there are none.
func checkSpec(spec *job.Spec) error {
	if len(spec.Params) > 0 {
		return errors.New("a word list takes no parameters")
	}
	return nil
}

// wordList implements program.Program.
type wordList map[string]bool

func open(_ program.Config, _ program.Spec, file string) (program.Program, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the word list: %w", err)
	}
	list := wordList{}
	for word := range bytes.FieldsSeq(text) {
		list[string(word)] = true
	}
	return list, nil
}

// Traits implements program.Program: nothing is combined.
func (wordList) Traits() program.Traits { return program.Traits{} }

// NewMapper implements program.Program.
func (l wordList) NewMapper(ctx context.Context, _ program.Attempt) (program.Mapper, error) {
	return &mapper{attempt: newAttempt(ctx), list: l}, nil
}

// NewReducer implements program.Program.
func (l wordList) NewReducer(ctx context.Context, _ program.Attempt) (program.Reducer, error) {
	return &reducer{newAttempt(ctx)}, nil
}

// attempt is what a mapper and a reducer have in common: a context that ends with Kill.
type attempt struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func newAttempt(ctx context.Context) attempt {
	ctx, cancel := context.WithCancelCause(ctx)
	return attempt{ctx, cancel}
}

// Kill implements program.Mapper and program.Reducer.
func (a attempt) Kill() { a.cancel(program.ErrKilled) }

type mapper struct {
	attempt
	list wordList
}

// Map implements program.Mapper.
func (m *mapper) Map(b *record.Batch, out *record.Emitter) error {
	for _, line := range b.Records() {
		for word := range bytes.FieldsSeq(line) {
			if m.list[string(word)] {
				out.Emit(word, nil)
			}
		}
	}
	return errors.Join(context.Cause(m.ctx), out.Err())
}

// Close implements program.Mapper.
func (m *mapper) Close(out *record.Emitter) error { return out.Err() }

type reducer struct{ attempt }

// Reduce implements program.Reducer.
func (r *reducer) Reduce(next func() ([]byte, error), out *record.Emitter) error {
	groups := record.NewGroups(next)
	for groups.Next() && r.ctx.Err() == nil {
		n := 0
		for _, ok := groups.Value(); ok; _, ok = groups.Value() {
			n++
		}
		out.Emit(groups.Key(), strconv.AppendInt(nil, int64(n), 10))
	}
	return errors.Join(context.Cause(r.ctx), groups.Err(), out.Err())
}
