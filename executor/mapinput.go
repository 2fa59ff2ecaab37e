package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/objstore"
)

// SplitOptions says how a slot reads inputs, given its memory in bytes.
func SplitOptions(format input.Format, memory int64) input.Options {
	return input.Options{
		Format:         format,
		MaxRecord:      memory / recordShare,
		ReadAheadBytes: min(memory/readAheadShare, maxReadAhead),
		MaxWindow:      max(memory/windowShare, input.DefaultMaxWindow),
	}
}

// openSplit begins to read a split of a job's input.
func (e *Executor) openSplit(ctx context.Context, j *jobContext, s input.Split, opts input.Options) (*input.Reader, error) {
	bucket, key := objstore.CutURL(s.Input) // a listed key may be one that a URL can't name
	b, _, err := e.cfg.Open(ctx, bucket)
	if err != nil {
		return nil, err
	}
	opts.Heads = j.heads
	opts.Direct = strings.HasPrefix(s.Input, "file:")
	return input.Open(ctx, s, opts, func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		return b.GetVersion(ctx, key, s.ETag, offset, length)
	})
}

// readAll passes the batches of a split to use, and closes the reader. Progress is how many bytes
// of the split have been read by then. It returns the number of bytes that came from the store.
func readAll(
	ctx context.Context, a *attempt, s input.Split, r *input.Reader, use func(b *record.Batch, progress int64) error,
) (n int64, err error) {
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
		if err := use(batch, r.Progress()); err != nil {
			return 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("map %s: %w", objstore.Shown(s.Input), err)
		}
		a.progressed()
	}
}

// Limits of what a splitQueue opens before its turn.
const (
	splitsAhead = 16
	bytesAhead  = 8 << 20 // all these splits together
)

// splitQueue opens a task's splits in their order. It opens small ones ahead of their turn, so that
// a task does not wait for each of many small objects. It belongs to one goroutine.
type splitQueue struct {
	open      func(input.Split) (*input.Reader, error)
	remaining []input.Split
	budget    int64 // the limit of aheadSize
	ahead     []openedSplit
	aheadSize int64 // bytes of the splits in ahead
}

type openedSplit struct {
	split  input.Split
	reader *input.Reader
	err    error // of opening it
}

// openAhead returns a queue of the task's splits, none of which is open yet.
func (t *mapTask) openAhead(ctx context.Context) *splitQueue {
	opts := SplitOptions(t.job.format, t.executor.slotMemory())
	return &splitQueue{
		open:      func(s input.Split) (*input.Reader, error) { return t.executor.openSplit(ctx, t.job, s, opts) },
		remaining: t.splits,
		budget:    min(opts.ReadAheadBytes/4, bytesAhead),
	}
}

// next returns the reader of the next split, which the caller closes. At least one split must
// remain.
func (q *splitQueue) next() (*input.Reader, error) {
	if len(q.ahead) == 0 {
		q.openNext()
	}
	first := q.ahead[0]
	q.ahead, q.aheadSize = q.ahead[1:], q.aheadSize-first.split.Length
	for len(q.remaining) > 0 && len(q.ahead) < splitsAhead && q.aheadSize+q.remaining[0].Length <= q.budget {
		q.openNext()
	}
	return first.reader, first.err
}

// openNext opens the next split.
func (q *splitQueue) openNext() {
	s := q.remaining[0]
	r, err := q.open(s)
	q.remaining, q.ahead, q.aheadSize = q.remaining[1:], append(q.ahead, openedSplit{s, r, err}), q.aheadSize+s.Length
}

// close closes the readers that next has not returned.
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
