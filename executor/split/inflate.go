package split

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
)

// inflated shows an object's bytes after decompression. Its buffer grows only with what the
// consumer keeps.
type inflated struct {
	src     shown
	codec   Compression
	step    int // by how many bytes a view grows at most
	dec     io.Reader
	release func() // of dec
	out     int64  // bytes decompressed
	err     error  // dec's; for the next call if bytes came with it
	buf     []byte
	view    []byte // always a part of buf
}

func newInflated(src *ranges, codec Compression) *inflated {
	// A small object needs no large buffer, unless it is a bomb.
	step := min(viewBytes, max(4<<10, 16*src.size))
	return &inflated{src: shown{r: src}, codec: codec, step: int(step)}
}

// more implements window.
func (f *inflated) more(keep int) ([]byte, error) {
	if f.dec == nil {
		if err := f.open(); err != nil {
			return nil, err
		}
	}
	if keep != len(f.buf) { // else it is in its place already
		f.buf = append(f.buf[:0], f.view[len(f.view)-keep:]...)
	}
	f.buf = slices.Grow(f.buf, f.step)
	n := 0
	if f.err == nil {
		n, f.err = readFull(f.dec, f.buf[keep:keep+f.step])
	}
	f.buf = f.buf[:keep+n]
	f.view = f.buf
	f.out += int64(n)
	switch {
	case n > 0:
		return f.view, nil
	case errors.Is(f.err, io.EOF):
		return f.view, io.EOF
	}
	return nil, f.failed(f.err)
}

// open finds out whether the object is what its name says, and starts to decompress.
func (f *inflated) open() error {
	src := bufio.NewReaderSize(&f.src, 64<<10)
	start, err := src.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !f.codec.matches(start) {
		return &FormatError{
			Object: f.src.r.object,
			Reason: fmt.Sprintf("not %v data, though the name says so", f.codec),
		}
	}
	if f.dec, f.release, err = f.codec.decompressor(src); err != nil {
		return f.failed(err)
	}
	return nil
}

// failed tells the store's error from one of the data.
func (f *inflated) failed(err error) error {
	if f.src.err != nil {
		return f.src.err
	}
	return &FormatError{
		Object: f.src.r.object,
		Offset: f.out,
		Reason: fmt.Sprintf("corrupt or truncated %v data", f.codec),
		Err:    failure{err},
	}
}

func (f *inflated) close() {
	if f.release != nil {
		f.release()
	}
}

// shown reads what ranges show.
type shown struct {
	r    *ranges
	rest []byte
	err  error // the first that was not io.EOF
}

// Read implements io.Reader.
func (s *shown) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		var err error
		if s.rest, err = s.r.more(0); err != nil {
			if !errors.Is(err, io.EOF) {
				s.err = err
			}
			return 0, err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
