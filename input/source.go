package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/objstore"
)

// Source is the object of a split, for the format that reads it. It belongs to one goroutine.
type Source struct {
	Split   Split
	Options Options // without zeros

	*source
	ctx      context.Context
	later    *Source // if this is its Beginning; else nil
	begun    bool    // the first bytes are read by its Beginning
	hidden   bool    // the object is compressed, and its records belong to another split
	seekable bool    // the records are in the object's own bytes
}

// Beginning returns the object from its first byte, for a split that does not begin there but needs
// a header. It is read a little at a time. If the object is compressed although its name does not
// say so, Text of the Beginning's Stream fails with io.EOF.
func (s *Source) Beginning() *Source {
	first := &Source{Split: s.Split, Options: s.Options, source: s.source, ctx: s.ctx, later: s}
	first.Split.Offset, first.Split.Length = 0, 1
	first.Options.RangeBytes = min(s.Options.RangeBytes, maxSlack)
	s.begun = true
	return first
}

// ReadAt fills p with the object's bytes from an offset, by one ranged read.
func (s *Source) ReadAt(p []byte, off int64) error { return s.readAt(s.ctx, p, off) }

// source makes the ranged reads of an object. Several goroutines may use it.
type source struct {
	get      Get
	object   string       // URL
	size     int64        // bytes
	received atomic.Int64 // bytes from the store
}

// open begins to read the range of n bytes from off. The last range of an object asks for one more
// byte, which must not exist: finish checks that.
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

// failed returns the error for what went wrong at byte off: a ChangedError if the object has
// changed.
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

// readAt fills p with the bytes from off.
func (s *source) readAt(ctx context.Context, p []byte, off int64) error {
	body, err := s.open(ctx, off, len(p))
	if err != nil {
		return failure{err}
	}
	if _, err = s.fill(body, p, off); err == nil {
		err = s.finish(body, off+int64(len(p)))
	}
	if err := s.closeBody(body, err); err != nil {
		return failure{err}
	}
	return nil
}

// fill fills p from the body of a range, whose next byte is at off.
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

// finish checks that the object ends after its last range.
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

// closeBody closes a range's body. It returns err, or the error of closing if err is nil.
func (s *source) closeBody(body io.Closer, err error) error {
	if cerr := body.Close(); cerr != nil && err == nil {
		return fmt.Errorf("close %s: %w", objstore.Shown(s.object), cerr)
	}
	return err
}

// readFull reads until p is full. It returns io.EOF if r ends before, and otherwise r's own error:
// unlike io.ReadFull, it never confuses them.
func readFull(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	switch {
	case n == len(p):
		return n, nil
	case err != io.EOF: // errors that wrap it count as failures
		return n, failure{err}
	}
	return n, err
}
