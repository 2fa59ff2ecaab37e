package executor

import (
	"context"
	"errors"

	"github.com/bucketmill/bucketmill/input"
)

// What a splitQueue has begun to read before its turn: so many splits at most, of so many bytes
// together.
const (
	splitsAhead = 16
	bytesAhead  = 8 << 20
)

// splitQueue opens a task's splits in their order, small ones ahead of their turn: else each of many small
// objects would be waited for. It belongs to one goroutine.
type splitQueue struct {
	open   func(input.Split) (*input.Reader, error)
	rest   []input.Split
	budget int64 // bytes ahead
	ahead  []openedSplit
	held   int64 // bytes of them
}

type openedSplit struct {
	split  input.Split
	reader *input.Reader
	err    error // of opening it
}

// splits makes a queue of a task's splits.
func (w *mapWork) splits(ctx context.Context) *splitQueue {
	opts := SplitOptions(w.job.format, w.executor.slotMemory())
	return &splitQueue{
		open:   func(s input.Split) (*input.Reader, error) { return w.executor.openSplit(ctx, w.job, s, opts) },
		rest:   w.task,
		budget: min(opts.ReadAheadBytes/4, bytesAhead),
	}
}

// next returns the next split's reader, which the caller closes. There must be one.
func (q *splitQueue) next() (*input.Reader, error) {
	if len(q.ahead) == 0 {
		q.begin()
	}
	first := q.ahead[0]
	q.ahead, q.held = q.ahead[1:], q.held-first.split.Length
	for len(q.rest) > 0 && len(q.ahead) < splitsAhead && q.held+q.rest[0].Length <= q.budget {
		q.begin()
	}
	return first.reader, first.err
}

func (q *splitQueue) begin() {
	s := q.rest[0]
	r, err := q.open(s)
	q.rest, q.ahead, q.held = q.rest[1:], append(q.ahead, openedSplit{s, r, err}), q.held+s.Length
}

// close ends the reads of splits that were not returned.
func (q *splitQueue) close() error {
	var errs []error
	for _, o := range q.ahead {
		if o.err == nil {
			errs = append(errs, o.reader.Close())
		}
	}
	q.ahead = nil
	return errors.Join(errs...)
}
