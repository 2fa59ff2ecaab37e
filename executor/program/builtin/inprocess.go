package builtin

import (
	"context"
	"errors"
	"io"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

// builtinProgram is a builtin with its parameters.
type builtinProgram struct {
	traits  program.Traits
	mapper  func(inProcess, program.Attempt) program.Mapper
	reducer func(inProcess) program.Reducer
}

func (p *builtinProgram) Traits() program.Traits { return p.traits }

func (p *builtinProgram) NewMapper(ctx context.Context, a program.Attempt) (program.Mapper, error) {
	return p.mapper(newInProcess(ctx), a), nil
}

func (p *builtinProgram) NewReducer(ctx context.Context, _ program.Attempt) (program.Reducer, error) {
	return p.reducer(newInProcess(ctx)), nil
}

// inProcess is the part that mappers and reducers of builtins share. There is no process to end:
// after Kill or the end of the attempt, they fail at the next batch or block.
type inProcess struct {
	ctx    context.Context // ends with the attempt
	cancel context.CancelCauseFunc
}

func newInProcess(ctx context.Context) inProcess {
	ctx, cancel := context.WithCancelCause(ctx)
	return inProcess{ctx: ctx, cancel: cancel}
}

func (p inProcess) Kill() { p.cancel(program.ErrKilled) }

func (p inProcess) Close(out *record.Emitter) error {
	err := p.done(out)
	p.cancel(nil)
	return err
}

// done returns the result of a call that had no error itself.
func (p inProcess) done(out *record.Emitter) error {
	if err := context.Cause(p.ctx); err != nil {
		return err
	}
	return out.Err()
}

// groups reads next's blocks until Kill.
func (p inProcess) groups(next func() ([]byte, error)) *record.Groups {
	ended := false
	return record.NewGroups(func() ([]byte, error) {
		if ended { // Groups may call again
			return nil, io.EOF
		}
		if err := context.Cause(p.ctx); err != nil {
			return nil, err
		}
		block, err := next()
		ended = err != nil
		return block, err
	})
}

// copyReducer emits its records unchanged.
type copyReducer struct{ inProcess }

func newCopyReducer(p inProcess) program.Reducer { return &copyReducer{p} }

func (r *copyReducer) Reduce(next func() ([]byte, error), out *record.Emitter) error {
	defer r.cancel(nil)
	g := r.groups(next)
	for g.Next() {
		for v, ok := g.Value(); ok; v, ok = g.Value() {
			out.Emit(g.Key(), v)
		}
	}
	return errors.Join(g.Err(), out.Err())
}

// firstReducer emits every key once, without a value.
type firstReducer struct{ inProcess }

func newFirstReducer(p inProcess) program.Reducer { return &firstReducer{p} }

func (r *firstReducer) Reduce(next func() ([]byte, error), out *record.Emitter) error {
	defer r.cancel(nil)
	g := r.groups(next)
	for g.Next() {
		out.Emit(g.Key(), nil)
	}
	return errors.Join(g.Err(), out.Err())
}

// encodeInts appends a value that consists of integers to dst.
type encodeInts func(dst []byte, ints ...int64) []byte

// appendText appends the columns of a key to dst in the output's form.
type appendText func(dst []byte, totals []record.Total) []byte

// columnsProgram returns a builtin whose values are columns of integers, which text turns into
// output. The mapper gets the function that encodes its values: for the shuffle, or as text if
// there is no reducer.
func columnsProgram(columns record.Columns, text appendText, mapper func(inProcess, encodeInts) program.Mapper) *builtinProgram {
	p := &builtinProgram{
		mapper: func(p inProcess, a program.Attempt) program.Mapper {
			if !a.MapOnly {
				return mapper(p, record.AppendInts)
			}
			totals := make([]record.Total, len(columns))
			return mapper(p, func(dst []byte, ints ...int64) []byte {
				for i, v := range ints {
					totals[i] = record.TotalOf(v)
				}
				return text(dst, totals)
			})
		},
		reducer: func(p inProcess) program.Reducer {
			return &columnsReducer{inProcess: p, columns: columns, text: text}
		},
	}
	p.traits.Combine.Columns = columns
	return p
}

// columnsReducer merges the values of each key and emits them as text.
type columnsReducer struct {
	inProcess
	columns record.Columns
	text    appendText
}

func (r *columnsReducer) Reduce(next func() ([]byte, error), out *record.Emitter) error {
	defer r.cancel(nil)
	totals, more := make([]record.Total, len(r.columns)), make([]record.Total, len(r.columns))
	var text []byte
	g := r.groups(next)
	for g.Next() {
		first := true
		for v, ok := g.Value(); ok; v, ok = g.Value() {
			if err := r.columns.DecodeTotals(more, v); err != nil {
				return err
			}
			if first {
				copy(totals, more)
				first = false
				continue
			}
			r.columns.MergeTotals(totals, more)
		}
		text = r.text(text[:0], totals)
		out.Emit(g.Key(), text)
	}
	return errors.Join(g.Err(), out.Err())
}
