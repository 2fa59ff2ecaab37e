package input

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// inflated shows an object's bytes after decompression. Its buffer grows only with what its
// consumer keeps.
type inflated struct {
	in    *Compressed
	codec Compression
	step  int // a view grows by this many bytes at most
	dec   Decompressor
	start int64 // the offset of the first decompressed byte
	out   int64 // bytes decompressed
	end   int64 // lines that begin here or later belong to another split
	err   error // dec's; left for the next call if bytes came with it
	buf   []byte
	view  []byte // always a part of buf
}

// newInflated decompresses what raw shows from the first byte of a split. ShownAlready is raw's
// view so far.
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
	if keep != len(f.buf) { // otherwise it is in its place already
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

// fill decompresses until p is full, or until the split's blocks end.
func (f *inflated) fill(p []byte) (n int, err error) {
	for n == 0 {
		n, err = readFull(f.dec, p)
		if !errors.Is(err, ErrSplitEnd) {
			break
		}
		// A line that begins exactly here belongs to this split: the reader of the next one skips
		// its first line, since the bytes of its blocks don't show whether that line is whole.
		f.end, err = f.start+f.out+int64(n)+1, nil
	}
	return n, err
}

// open checks that the object is what its name says, and starts to decompress.
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

// failed returns the store's error if there is one, and otherwise an error of the data.
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
	given int64 // bytes read so far
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
