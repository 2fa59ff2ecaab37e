package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/objstore"
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
	open      func(input.Split) (*input.Reader, error)
	remaining []input.Split
	budget    int64 // bytes ahead
	ahead     []openedSplit
	held      int64 // bytes of them
}

type openedSplit struct {
	split  input.Split
	reader *input.Reader
	err    error // of opening it
}

// splits makes a queue of a task's splits.
func (w *mapTask) splits(ctx context.Context) *splitQueue {
	opts := SplitOptions(w.job.format, w.executor.slotMemory())
	return &splitQueue{
		open:      func(s input.Split) (*input.Reader, error) { return w.executor.openSplit(ctx, w.job, s, opts) },
		remaining: w.task,
		budget:    min(opts.ReadAheadBytes/4, bytesAhead),
	}
}

// next returns the next split's reader, which the caller closes. There must be one.
func (q *splitQueue) next() (*input.Reader, error) {
	if len(q.ahead) == 0 {
		q.begin()
	}
	first := q.ahead[0]
	q.ahead, q.held = q.ahead[1:], q.held-first.split.Length
	for len(q.remaining) > 0 && len(q.ahead) < splitsAhead && q.held+q.remaining[0].Length <= q.budget {
		q.begin()
	}
	return first.reader, first.err
}

func (q *splitQueue) begin() {
	s := q.remaining[0]
	r, err := q.open(s)
	q.remaining, q.ahead, q.held = q.remaining[1:], append(q.ahead, openedSplit{s, r, err}), q.held+s.Length
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

// openSplit begins to read a split.
func (e *Executor) openSplit(ctx context.Context, job *jobContext, s input.Split, opts input.Options) (*input.Reader, error) {
	bucket, key := objstore.CutURL(s.Input) // a key that was listed need not be one that can be named
	b, _, err := e.cfg.Open(ctx, bucket)
	if err != nil {
		return nil, err
	}
	opts.Heads = job.heads
	opts.Direct = strings.HasPrefix(s.Input, "file:")
	return input.Open(ctx, s, opts, func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		return b.GetVersion(ctx, key, s.ETag, offset, length)
	})
}

// SplitOptions is how inputs are read by a slot with so many bytes of memory.
func SplitOptions(format input.Format, memory int64) input.Options {
	return input.Options{
		Format:         format,
		MaxRecord:      memory / recordShare,
		ReadAheadBytes: min(memory/readAheadShare, maxReadAhead),
		MaxWindow:      max(memory/windowShare, input.DefaultMaxWindow),
	}
}

// readAll hands the batches of a split to take, each with how many bytes of the split are
// consumed then, and closes it. It returns the number of bytes that it received.
func readAll(ctx context.Context, a *attempt, s input.Split, r *input.Reader, take func(b *record.Batch, progress int64) error) (n int64, err error) {
	defer func() {
		n = r.BytesRead()
		err = errors.Join(err, r.Close())
	}()
	for {
		batch, err := r.Next()
		if errors.Is(err, io.EOF) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if err := take(batch, r.Progress()); err != nil {
			return 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("map %s: %w", objstore.Shown(s.Input), err)
		}
		a.signs.Add(1)
	}
}

// inputsOf are what a task reads, as programs are told.
func inputsOf(task input.Task) []program.Input {
	inputs := make([]program.Input, len(task))
	for i, s := range task {
		inputs[i] = program.Input{URL: s.Input, Start: s.Offset, Length: s.Length}
	}
	return inputs
}
