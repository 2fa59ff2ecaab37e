package input

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// inflated shows an object's bytes after decompression. Its buffer grows only with what the
// consumer keeps.
type inflated struct {
	in    *Compressed
	codec Compression
	step  int // by how many bytes a view grows at most
	dec   Decompressor
	start int64 // offset of the first byte that was decompressed
	out   int64 // bytes decompressed
	end   int64 // lines that begin here or later are another split's
	err   error // dec's; for the next call if bytes came with it
	buf   []byte
	view  []byte // always a part of buf
}

// newInflated decompresses what raw shows from the first byte of a split on. Shown is its view so far, if it is to begin there.
func newInflated(src *Source, raw window, shownAlready []byte, s Split, codec Compression) *inflated {
	of := *src
	of.Split = s
	in := &Compressed{Source: &of, bytes: shown{in: raw, rest: shownAlready}}
	// A small object needs no large buffer, unless it is a bomb.
	step := min(viewBytes, max(4<<10, 16*s.Size))
	return &inflated{in: in, codec: codec, step: int(step), end: math.MaxInt64}
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
		n, f.err = f.fill(f.buf[keep : keep+f.step])
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

// fill decompresses until p is full, or up to the end of the split's blocks.
func (f *inflated) fill(p []byte) (n int, err error) {
	for n == 0 {
		n, err = readFull(f.dec, p)
		if !errors.Is(err, ErrSplitEnd) {
			break
		}
		// A line that begins exactly here belongs to the split, for the next one's first line is skipped: nothing
		// there says whether it is whole.
		f.end, err = f.start+f.out+int64(n)+1, nil
	}
	return n, err
}

// open finds out whether the object is what its name says, and starts to decompress.
func (f *inflated) open() error {
	f.in.Reader = bufio.NewReaderSize(&f.in.bytes, 64<<10)
	if f.in.Split.Offset == 0 {
		head, err := f.in.Peek(headBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if !f.codec.Matches(head) {
			return f.in.Refuse(fmt.Sprintf("not %v data, though the name says so: give it another name, or read the bytes as they are with "+
				"--compression none", f.codec))
		}
	}
	dec, err := f.codec.Open(f.in)
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if err != nil {
		return f.failed(err)
	}
	f.dec, f.start = dec, dec.Start()
	return nil
}

// failed tells the store's error from one of the data.
func (f *inflated) failed(err error) error {
	if f.in.bytes.err != nil {
		return f.in.bytes.err
	}
	if refused, ok := errors.AsType[*FormatError](err); ok {
		return refused
	}
	return &FormatError{
		Object: f.in.Split.Input,
		Offset: f.start + f.out,
		Reason: fmt.Sprintf("corrupt or truncated %v data", f.codec),
		Err:    failure{err},
	}
}

func (f *inflated) close() {
	if f.dec != nil {
		f.dec.Close()
	}
}

// shown reads what a window shows.
type shown struct {
	in    window
	rest  []byte
	given int64 // bytes that were read
	err   error // the first that was not io.EOF
}

// Read implements io.Reader.
func (s *shown) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		var err error
		if s.rest, err = s.in.more(0); err != nil {
			if !errors.Is(err, io.EOF) {
				s.err = err
			}
			return 0, err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	s.given += int64(n)
	return n, nil
}
