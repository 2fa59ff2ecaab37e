package input

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/internal/record"
)

var errClosed = errors.New("the split's reader is closed")

// Reader reads the records of a split. It belongs to one goroutine, except for Progress and
// BytesRead.
type Reader struct {
	split    Split
	src      *Source // nil if the split has no bytes
	records  Records // nil if the split has no bytes
	batch    record.Batch
	err      error // sticky
	progress atomic.Int64
}

// Open begins to read a split, and returns without waiting for data, so a caller may open a few
// splits ahead of the one that it consumes. Get must be safe for concurrent use and keep the
// promises of objstore.Bucket.GetVersion. The context must last as long as the Reader.
//
// Open fails for invalid options and splits, and for an object whose size shows that it can't be
// read.
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

// Next returns the next records, up to about a megabyte of them unless one is longer, or io.EOF
// after the last. The batch is valid until Next or Close is called. An error is final.
func (r *Reader) Next() (*record.Batch, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.err = r.records.Next(&r.batch); r.err != nil {
		if errors.Is(r.err, io.EOF) {
			r.progress.Store(r.split.Length)
		}
		if r.Hidden() {
			r.records.Close() // nobody needs what it reads ahead
		}
		return nil, r.err
	}
	r.progress.Store(min(max(0, r.records.Position()-r.split.Offset), r.split.Length))
	return &r.batch, nil
}

// Hidden reports whether the split has no records because its object is compressed although its
// name does not say so: all records then come from the split that begins at 0. It is known after
// the first Next.
func (r *Reader) Hidden() bool { return r.src != nil && r.src.hidden }

// Seekable reports whether a split may begin at the offset of a record that Next has returned.
func (r *Reader) Seekable() bool {
	return r.src != nil && r.src.seekable && r.src.Options.Format.Splittable(r.split.Input)
}

// Progress returns how many bytes of the split, 0 to its length, were consumed for the batches so
// far; of a compressed object, compressed bytes. Any goroutine may call it.
func (r *Reader) Progress() int64 { return r.progress.Load() }

// BytesRead returns how many bytes were received from the store. They may be more than were
// consumed, and more than the split's length, since the last line is read to its end. Any goroutine
// may call it.
func (r *Reader) BytesRead() int64 {
	if r.src == nil {
		return 0
	}
	return r.src.received.Load()
}

// Close ends all reads and waits for them. It returns nil: Next returns the errors of reading.
func (r *Reader) Close() error {
	r.err = errClosed
	if r.records != nil {
		r.records.Close()
	}
	return nil
}
