package input

import (
	"context"
	"io"
	"slices"
	"sync"
)

const (
	viewBytes = 1 << 20   // a view grows by this at most: about the size of a batch
	fillBytes = 256 << 10 // a range's bytes are shown in steps of this size while they arrive
	maxRoom   = 64 << 10  // the longest rest of a range that is copied in front of the next range's bytes
	maxSlack  = 64 << 10  // how far past its end a split is read ahead
)

// Get reads length bytes of one object from an offset: it is objstore.Bucket.GetVersion for the
// object's key, and its ETag in the plan.
type Get func(ctx context.Context, offset, length int64) (io.ReadCloser, error)

// ranges reads a stretch of an object by ranged reads, several at once, and shows the bytes in
// order. It belongs to one goroutine.
type ranges struct {
	// Immutable.
	*source
	ctx      context.Context // of all reads; close cancels it
	cancel   context.CancelFunc
	room     int // in front of every range except the first
	buffers  int // how many ranges are in memory at once, at least 2
	fetchers sync.WaitGroup

	schedule
	held  []*chunk // in order; the first is shown
	spare [][]byte // buffers of consumed ranges

	view   []byte
	joined []byte // contains the view if it begins too far before the shown chunk
}

// chunk is one ranged read and the buffer that it fills.
type chunk struct {
	buf    []byte   // room for what is left of the chunk before, then the range's bytes
	room   int      // where the range's bytes begin in buf
	off    int64    // of the range in the object
	n      int      // the length of the range
	filled chan int // how many bytes have arrived; has room for all messages; closed at the end
	err    error    // why the read failed; valid once filled is closed

	first   int // the view can begin here in buf
	shown   int // the end of what was consumed of buf
	arrived int // the end of what has arrived in buf, as far as the consumer knows
}

// newRanges begins to read a stretch of an object.
func newRanges(ctx context.Context, src *source, s Stretch, opts Options) *ranges {
	r := &ranges{
		source:   src,
		schedule: newSchedule(s, opts),
		room:     min(maxRoom, opts.RangeBytes),
		buffers:  int(opts.ReadAheadBytes / int64(opts.RangeBytes)),
	}
	r.ctx, r.cancel = context.WithCancel(ctx)
	r.fetch()
	return r
}

// fetch begins reads while there is room for them.
func (r *ranges) fetch() {
	for len(r.held) < r.buffers && r.due() {
		c := r.newChunk()
		r.held = append(r.held, c)
		r.fetchers.Go(func() {
			defer close(c.filled)
			if err := r.read(c); err != nil {
				c.err = failure{err}
			}
		})
	}
}

func (r *ranges) newChunk() *chunk {
	c := &chunk{}
	c.off, c.n = r.take()
	if len(r.held) > 0 {
		c.room = r.room
	}
	if n := len(r.spare); n > 0 && len(r.spare[n-1]) >= c.room+c.n {
		c.buf, r.spare = r.spare[n-1], r.spare[:n-1]
	} else if c.n < r.rangeLen { // the split's last range, and perhaps its only one
		c.buf = make([]byte, c.room+c.n)
	} else {
		c.buf = takeBuffer(r.wholeRange())
	}
	c.first, c.shown, c.arrived = c.room, c.room, c.room
	c.filled = make(chan int, c.n/fillBytes+1)
	return c
}

// read fills c, in its own goroutine.
func (r *ranges) read(c *chunk) (err error) {
	body, err := r.open(r.ctx, c.off, c.n)
	if err != nil {
		return err
	}
	defer func() { err = r.closeBody(body, err) }()
	data := c.buf[c.room : c.room+c.n]
	for n := 0; n < c.n; {
		m, err := r.fill(body, data[n:min(n+fillBytes, c.n)], c.off+int64(n))
		n += m
		if m > 0 {
			c.filled <- n
		}
		if err != nil {
			return err
		}
	}
	return r.finish(body, c.off+int64(c.n))
}

// wait waits until more bytes of c have arrived. It returns false after the last.
func (c *chunk) wait(ctx context.Context) (bool, error) {
	select {
	case n, ok := <-c.filled:
		if !ok {
			return false, c.err
		}
		c.arrived = c.room + n
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	for {
		select {
		case n, ok := <-c.filled:
			if !ok {
				return true, nil // the next call returns its error
			}
			c.arrived = c.room + n
		default:
			return true, nil
		}
	}
}

// more implements window.
func (r *ranges) more(keep int) ([]byte, error) {
	kept := r.view[len(r.view)-keep:]
	for len(r.held) == 0 || r.held[0].shown == r.held[0].arrived {
		if len(r.held) > 0 {
			if more, err := r.held[0].wait(r.ctx); err != nil {
				return nil, err
			} else if more {
				break
			}
		}
		var err error
		if kept, err = r.advance(kept); err != nil {
			return kept, err
		}
	}
	c := r.held[0]
	from := c.shown
	c.shown = min(c.arrived, from+viewBytes)
	if keep <= from-c.first {
		r.view, r.joined = c.buf[from-keep:c.shown], r.joined[:0]
		return r.view, nil
	}
	if len(r.joined) != keep { // otherwise joined contains kept already
		r.joined = append(r.joined[:0], kept...)
	}
	if fresh := c.shown - from; cap(r.joined) < keep+fresh {
		r.joined = slices.Grow(r.joined, keep+fresh) // double it
	}
	r.joined = append(r.joined, c.buf[from:c.shown]...)
	r.view = r.joined
	return r.view, nil
}

// advance goes on to the next range. It returns the bytes of kept at their new place.
func (r *ranges) advance(kept []byte) ([]byte, error) {
	if len(r.held) < 2 {
		if !r.due() && !r.extend() {
			return kept, io.EOF
		}
		r.fetch()
	}
	if len(r.held) > 1 {
		c := r.held[1]
		if len(kept) <= c.room {
			c.first = c.room - len(kept)
			kept = c.buf[c.first : c.first+copy(c.buf[c.first:], kept)]
		} else {
			r.joined = append(r.joined[:0], kept...)
			kept = r.joined
		}
		r.view = kept
		r.spare = append(r.spare, r.held[0].buf)
		r.held = slices.Delete(r.held, 0, 1)
	}
	r.fetch()
	return kept, nil
}

// position implements objectWindow.
func (r *ranges) position() int64 {
	if len(r.held) == 0 {
		return r.next
	}
	return r.held[0].off + int64(r.held[0].shown-r.held[0].room)
}

// close implements objectWindow. The errors of reads that it ends don't matter.
func (r *ranges) close() {
	r.cancel()
	r.fetchers.Wait()
	for _, c := range r.held {
		r.giveBuffer(c.buf)
	}
	for _, buf := range r.spare {
		r.giveBuffer(buf)
	}
	r.held, r.spare, r.view = nil, nil, nil
}

// buffers has buffers of whole ranges for the splits that are read next: to clear so much memory
// for each split takes longer than to read a small split.
var buffers sync.Pool // of *[]byte

// takeBuffer returns a buffer of a size in bytes, with any contents.
func takeBuffer(size int) []byte {
	if buf, ok := buffers.Get().(*[]byte); ok && cap(*buf) >= size {
		return (*buf)[:size]
	}
	return make([]byte, size)
}

// giveBuffer keeps a buffer for other readers, if it has room for a whole range.
func (r *ranges) giveBuffer(buf []byte) {
	if cap(buf) >= max(fillBytes, r.wholeRange()) {
		buffers.Put(&buf)
	}
}

// wholeRange returns the size of a buffer for any range, in bytes.
func (r *ranges) wholeRange() int { return r.room + r.rangeLen + r.slack }
