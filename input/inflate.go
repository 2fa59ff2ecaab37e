package input

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
	src       shown
	object    string
	size      int64 // of the object, in bytes
	codec     Compression
	maxWindow int64 // bytes
	step      int   // by how many bytes a view grows at most
	dec       *members
	out       int64 // bytes decompressed
	err       error // dec's; for the next call if bytes came with it
	buf       []byte
	view      []byte // always a part of buf
}

// newInflated decompresses what in shows. Shown is its view so far, if it is to begin there.
func newInflated(in input, shownAlready []byte, s Split, codec Compression, opts Options) *inflated {
	// A small object needs no large buffer, unless it is a bomb.
	step := min(viewBytes, max(4<<10, 16*s.Size))
	return &inflated{
		src: shown{in: in, rest: shownAlready}, object: s.Input, size: s.Size,
		codec: codec, maxWindow: opts.MaxWindow, step: int(step),
	}
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
	head, err := src.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !f.codec.matches(head) {
		return f.refused(fmt.Sprintf("not %v data, though the name says so: give it another name, or read the bytes as they are with "+
			"--compression none", f.codec))
	}
	offset := func() int64 { return f.src.given - int64(src.Buffered()) }
	f.dec = &members{src: src, offset: offset, codec: f.codec, size: f.size, maxWindow: f.maxWindow}
	return nil
}

// failed tells the store's error from one of the data.
func (f *inflated) failed(err error) error {
	if f.src.err != nil {
		return f.src.err
	}
	if trailing, ok := errors.AsType[*trailingError](err); ok {
		return f.refused(fmt.Sprintf("%v data ends at byte %d of %d, and what follows is not %v data: cut it off (head -c %[2]d)",
			f.codec, trailing.at, f.size, f.codec))
	}
	if window, ok := errors.AsType[*windowError](err); ok {
		return f.refused(window.Error())
	}
	if dictionary, ok := errors.AsType[dictionaryError](err); ok {
		return f.refused(dictionary.Error())
	}
	return &FormatError{
		Object: f.object,
		Offset: f.out,
		Reason: fmt.Sprintf("corrupt or truncated %v data", f.codec),
		Err:    failure{err},
	}
}

func (f *inflated) refused(reason string) error {
	return &FormatError{Object: f.object, Offset: NoOffset, Reason: reason}
}

func (f *inflated) close() {
	if f.dec != nil {
		f.dec.close()
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
