package input

import (
	"context"
	"io"
	"slices"
)

// direct shows an object's bytes like ranges, and by the same ranged reads. But it reads them in
// its consumer's goroutine, when they are needed, into one buffer that is small enough to stay in
// the processor's cache until they are used. If the bytes are near, in the system's memory or on a
// disk that the system reads ahead, this takes a fraction of the time that moving them between
// goroutines, cores and large buffers takes.
type direct struct {
	*source
	schedule
	ctx   context.Context
	step  int          // a view grows by this many bytes at most
	reads []directRead // in order; the first is shown
	err   error        // left for the next call, since bytes came with it
	buf   []byte
	view  []byte // always the beginning of buf
}

// directRead is one ranged read.
type directRead struct {
	body     io.ReadCloser
	err      error // why there is no body
	off, end int64 // the bytes of the object that are left to read
}

// newDirect is newRanges for a direct window.
func newDirect(ctx context.Context, src *source, s Stretch, opts Options) *direct {
	return &direct{
		source: src, schedule: newSchedule(s, opts), ctx: ctx,
		step: min(fillBytes, opts.RangeBytes),
	}
}

// more implements window.
func (d *direct) more(keep int) ([]byte, error) {
	if keep != len(d.view) { // otherwise it is in its place already
		d.view = d.buf[:copy(d.buf, d.view[len(d.view)-keep:])]
	}
	for d.err == nil {
		if d.ctx.Err() != nil {
			return nil, context.Cause(d.ctx)
		}
		if len(d.reads) == 0 && !d.due() && !d.extend() {
			return d.view, io.EOF
		}
		d.openAhead()
		r := &d.reads[0]
		if r.err != nil || r.off == r.end {
			d.err = d.pop()
			continue
		}
		n := int(min(int64(d.step), r.end-r.off))
		d.buf = slices.Grow(d.view, n)[:keep+n]
		n, d.err = d.fill(r.body, d.buf[keep:], r.off)
		r.off += int64(n)
		if n > 0 {
			d.view = d.buf[:keep+n]
			return d.view, nil
		}
	}
	return nil, d.err
}

// openAhead opens the range to be shown and the next one, so that the store learns early which
// bytes come next.
func (d *direct) openAhead() {
	for len(d.reads) < 2 && d.due() {
		off, n := d.take()
		body, err := d.open(d.ctx, off, n)
		if err != nil {
			err = failure{err}
		}
		d.reads = append(d.reads, directRead{body: body, err: err, off: off, end: off + int64(n)})
	}
}

// pop ends the first read, which is at its end or could not be opened.
func (d *direct) pop() error {
	r := d.reads[0]
	d.reads = slices.Delete(d.reads, 0, 1)
	if r.err != nil {
		return r.err
	}
	if err := d.closeBody(r.body, d.finish(r.body, r.end)); err != nil {
		return failure{err}
	}
	return nil
}

// position implements objectWindow.
func (d *direct) position() int64 {
	if len(d.reads) == 0 {
		return d.next
	}
	return d.reads[0].off
}

// close implements objectWindow. The errors of reads that it ends don't matter.
func (d *direct) close() {
	for _, r := range d.reads {
		if r.body != nil {
			_ = r.body.Close() // its error does not matter
		}
	}
	d.reads, d.buf, d.view = nil, nil, nil
}
