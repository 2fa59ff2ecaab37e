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
	ctx      context.Context
	split    Split
	opts     Options
	src      *source   // nil for a split without bytes
	in       input     // as src
	inflated *inflated // nil unless compressed
	framer   framer    // nil until the first call of Next
	batch    record.Batch
	header   []byte // the first line of CSV that begins in an earlier split
	hidden   bool   // the split is the middle of what is compressed
	err      error  // sticky
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
	if err := checkSize(s.Input, s.Size, opts); err != nil {
		return nil, err
	}
	r := &Reader{ctx: ctx, split: s, opts: opts, batch: record.Batch{Input: s.Input}}
	if s.Length == 0 {
		r.err = io.EOF
		return r, nil
	}
	r.src = &source{get: get, object: s.Input, size: s.Size}
	if codec := opts.codec(s.Input); codec != Uncompressed {
		r.in = newRanges(ctx, r.src, s.stretch(opts), opts)
		r.inflated = newInflated(r.in, nil, s, codec, opts)
		return r, nil
	}
	r.in = openPlain(ctx, s, opts, r.src)
	return r, nil
}

// An input is a window on an object's own bytes.
type input interface {
	window
	// position returns the offset in the object after the last byte that was shown.
	position() int64
	// readAll makes all that is left of the object be read without being asked for.
	readAll()
	// close ends all reads and waits until they have ended.
	close()
}

// openPlain begins to read the bytes of s that its records need.
func openPlain(ctx context.Context, s Split, opts Options, src *source) input {
	if opts.Direct && opts.Format.Kind != Whole {
		return newDirect(ctx, src, s.stretch(opts), opts)
	}
	r := newRanges(ctx, src, s.stretch(opts), opts)
	if opts.Format.Kind == Whole && s.Size > int64(opts.RangeBytes) {
		r.joined = make([]byte, 0, s.Size)
	}
	return r
}

// Next returns the next records, at most about a megabyte of them unless one is longer, or
// io.EOF after the last. The batch is valid until Next or Close is called. An error is final.
func (r *Reader) Next() (*record.Batch, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.framer == nil {
		if r.err = r.begin(); r.err != nil {
			return nil, r.ended()
		}
	}
	if r.err = r.framer.next(&r.batch); r.err != nil {
		return nil, r.ended()
	}
	at := r.framer.position()
	if r.inflated != nil {
		at = r.in.position()
	}
	r.progress.Store(min(max(0, at-r.split.Offset), r.split.Length))
	return &r.batch, nil
}

// ended returns why there are no more records.
func (r *Reader) ended() error {
	if errors.Is(r.err, io.EOF) {
		r.progress.Store(r.split.Length)
		if r.hidden {
			r.in.close() // it reads ahead, for nothing
		}
	}
	return r.err
}

// Hidden tells whether the split has no records because its object turned out to be compressed, though
// its name does not say so: then all records come from the split that begins at 0. It is known once Next has
// returned.
func (r *Reader) Hidden() bool { return r.hidden }

// Seekable tells whether a split may begin at the offset of a record that Next has returned.
func (r *Reader) Seekable() bool {
	return Splittable(r.split.Input, r.opts.Format) && r.inflated == nil
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
	if r.inflated != nil {
		r.inflated.close()
	}
	if r.in != nil {
		r.in.close()
	}
	return nil
}
