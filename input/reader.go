package input

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/internal/record"
)

var errClosed = errors.New("the split's reader is closed")

// Reader reads the records of a split. It belongs to one goroutine, but for Progress and
// BytesRead.
type Reader struct {
	split    Split
	src      *Source // nil for a split without bytes, as records
	records  Records
	batch    record.Batch
	err      error // sticky
	progress atomic.Int64
}

// Open begins to read a split, and returns without waiting for data; so a few splits may
// be opened ahead of the one that is consumed. Get must be safe for concurrent use and keep
// the promises of objstore.Bucket.GetVersion. The context holds for the Reader's life.
//
// It fails for options and splits that can't be, for an object whose size is no multiple of
// a fixed record length, and for one that is too long to be one record.
func Open(ctx context.Context, s Split, opts Options, get Get) (*Reader, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := s.validate(opts.Format); err != nil {
		return nil, err
	}
	if err := opts.Format.Check(s.Input, s.Size, opts.MaxRecord); err != nil {
		return nil, err
	}
	r := &Reader{split: s, batch: record.Batch{Input: s.Input}}
	if s.Length == 0 {
		r.err = io.EOF
		return r, nil
	}
	r.src = &Source{Split: s, Options: opts, ctx: ctx, source: &source{get: get, object: s.Input, size: s.Size}}
	r.records = opts.Format.Open(r.src)
	return r, nil
}

// Next returns the next records, at most about a megabyte of them unless one is longer, or
// io.EOF after the last. The batch is valid until Next or Close is called. An error is final.
func (r *Reader) Next() (*record.Batch, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.err = r.records.Next(&r.batch); r.err != nil {
		if errors.Is(r.err, io.EOF) {
			r.progress.Store(r.split.Length)
		}
		if r.Hidden() {
			r.records.Close() // it reads ahead, for nothing
		}
		return nil, r.err
	}
	r.progress.Store(min(max(0, r.records.Position()-r.split.Offset), r.split.Length))
	return &r.batch, nil
}

// Hidden tells whether the split has no records because its object turned out to be compressed, though
// its name does not say so: then all records come from the split that begins at 0. It is known once Next has
// returned.
func (r *Reader) Hidden() bool { return r.src != nil && r.src.hidden }

// Seekable tells whether a split may begin at the offset of a record that Next has returned.
func (r *Reader) Seekable() bool {
	return r.src != nil && r.src.seekable && r.src.Options.Format.Splittable(r.split.Input)
}

// Progress returns how many bytes of the split, 0 to its length, were consumed to make the
// batches so far; of a compressed object's bytes, not of what they hold. Any goroutine may
// ask.
func (r *Reader) Progress() int64 { return r.progress.Load() }

// BytesRead returns how many bytes were received from the store. It may be more than the
// split's length, for lines are read to their end, and more than what is consumed. Any
// goroutine may ask.
func (r *Reader) BytesRead() int64 {
	if r.src == nil {
		return 0
	}
	return r.src.received.Load()
}

// Close ends all reads and waits until they have ended. It returns nil: what goes wrong in
// reading is returned by Next.
func (r *Reader) Close() error {
	r.err = errClosed
	if r.records != nil {
		r.records.Close()
	}
	return nil
}
