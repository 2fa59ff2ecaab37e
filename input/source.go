package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/objstore"
)

// source is an object that is read by ranged reads. It may be used by several goroutines.
type source struct {
	get      Get
	object   string       // URL
	size     int64        // bytes
	received atomic.Int64 // bytes from the store
}

// open begins to read the range of n bytes from off on. The last range of an object asks for one
// byte more, which must not be there: finish looks for it.
func (s *source) open(ctx context.Context, off int64, n int) (io.ReadCloser, error) {
	length := int64(n)
	if off+length == s.size {
		length++
	}
	body, err := s.get(ctx, off, length)
	if err != nil {
		return nil, s.failed(err, off)
	}
	return body, nil
}

// failed says what went wrong at byte off, and whether it is that the object is another by now.
func (s *source) failed(err error, off int64) error {
	switch {
	case errors.Is(err, objstore.ErrRange):
		return &ChangedError{Object: s.object, Size: s.size, How: Shorter, Err: err}
	case errors.Is(err, objstore.ErrChanged):
		return &ChangedError{Object: s.object, Size: s.size, How: Replaced, Err: err}
	case errors.Is(err, objstore.ErrNotFound):
		return &ChangedError{Object: s.object, Size: s.size, How: Gone, Err: err}
	}
	return fmt.Errorf("read %s at byte %d: %w", objstore.Shown(s.object), off, err)
}

// fill reads the bytes from off on until p is full.
func (s *source) fill(body io.Reader, p []byte, off int64) (n int, err error) {
	n, err = readFull(body, p)
	s.received.Add(int64(n))
	switch {
	case errors.Is(err, io.EOF):
		return n, &ChangedError{Object: s.object, Size: s.size, How: Shorter}
	case err != nil:
		return n, s.failed(err, off+int64(n))
	}
	return n, nil
}

// finish makes sure that the object ends after a range whose end is the object's.
func (s *source) finish(body io.Reader, end int64) error {
	if end != s.size {
		return nil
	}
	switch n, err := readFull(body, make([]byte, 1)); {
	case n > 0:
		return &ChangedError{Object: s.object, Size: s.size, How: Longer}
	case !errors.Is(err, io.EOF):
		return s.failed(err, end)
	}
	return nil
}

// closeBody closes a range's body. It returns err, or what goes wrong then if that is nil.
func (s *source) closeBody(body io.Closer, err error) error {
	if cerr := body.Close(); cerr != nil && err == nil {
		return fmt.Errorf("close %s: %w", objstore.Shown(s.object), cerr)
	}
	return err
}

// readFull reads until p is full. It returns io.EOF if r ends before, and r's own error else:
// unlike io.ReadFull, it never takes one for the other.
func readFull(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	switch {
	case n == len(p):
		return n, nil
	case err != io.EOF: // and not one that wraps it
		return n, failure{err}
	}
	return n, err
}

// stretch is a part of an object that is read from one place on up to limit, and from there up to stop
// as far as it is asked for.
type stretch struct{ from, limit, stop int64 }

// stretch is what the split's records need of its object.
func (s Split) stretch(opts Options) stretch {
	end := s.Offset + s.Length
	switch {
	case opts.codec(s.Input) != Uncompressed || opts.Format.Kind == Whole:
		return stretch{from: 0, limit: s.Size, stop: s.Size}
	case opts.Format.Kind == Fixed:
		stop := firstRecord(end, opts.Format.RecordLen)
		return stretch{from: firstRecord(s.Offset, opts.Format.RecordLen), limit: stop, stop: stop}
	}
	// The last line most likely ends soon after the split.
	limit := end + min(maxSlack, int64(opts.RangeBytes))
	return stretch{from: max(0, s.Offset-1), limit: min(limit, s.Size), stop: s.Size}
}

// schedule says by which ranged reads a stretch is read, one after the other.
type schedule struct {
	// Immutable.
	stop     int64 // nothing is read from here on
	rangeLen int
	slack    int   // a last range may be longer than rangeLen by this
	most     int64 // by how much limit moves at most

	next  int64 // the first byte that no read was begun for
	limit int64 // the bytes before it are read without being asked for
	tail  int64 // by how much limit moves once it is reached
}

func newSchedule(s stretch, opts Options) schedule {
	slack := min(maxSlack, opts.RangeBytes) + 1 // the byte before a text split, too
	return schedule{
		stop:     s.stop,
		rangeLen: opts.RangeBytes,
		slack:    slack,
		most:     opts.ReadAheadBytes / int64(opts.RangeBytes) * int64(opts.RangeBytes),
		next:     s.from,
		limit:    s.limit,
		tail:     int64(slack),
	}
}

// readAll makes all ranges up to the end due.
func (s *schedule) readAll() { s.limit = s.stop }

// due tells whether there is a range to read without being asked.
func (s *schedule) due() bool { return s.next < s.limit }

// take returns the next range, which is due.
func (s *schedule) take() (off int64, n int) {
	off, n = s.next, s.rangeLen
	if left := s.limit - s.next; left <= int64(s.rangeLen+s.slack) {
		n = int(left)
	}
	s.next += int64(n)
	return off, n
}

// extend makes another range due, or returns false at the stretch's end.
func (s *schedule) extend() bool {
	if s.limit == s.stop {
		return false
	}
	s.limit = min(s.stop, s.limit+s.tail)
	s.tail = min(2*s.tail, s.most)
	return true
}
