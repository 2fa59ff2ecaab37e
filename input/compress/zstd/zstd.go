// Package zstd decompresses objects of Zstandard, of one or more frames.
package zstd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/bucketmill/bucketmill/input"
)

// Compression is Zstandard.
type Compression struct{}

var suffixes = []string{".zst", ".zstd"}

var mark = []byte{0x28, 0xb5, 0x2f, 0xfd}

func (Compression) String() string { return "zstd" }

// Suffixes implements input.Compression.
func (Compression) Suffixes() []string { return suffixes }

// Matches implements input.Compression.
func (Compression) Matches(head []byte) bool {
	for skippable(head) {
		n := 8 + int64(binary.LittleEndian.Uint32(head[4:]))
		if n >= int64(len(head)) {
			return true // lz4 has such frames, too, but in practice they are zstd's
		}
		head = head[n:]
	}
	return bytes.HasPrefix(head, mark)
}

// skippable reports whether data begin with a frame that contains nothing to decompress.
func skippable(head []byte) bool {
	return len(head) >= 8 && head[0]&0xf0 == 0x50 && bytes.HasPrefix(head[1:], []byte{0x2a, 0x4d, 0x18})
}

// Splittable implements input.Compression.
func (Compression) Splittable() bool { return false }

// Open implements input.Compression.
func (c Compression) Open(in *input.Compressed) (input.Decompressor, error) {
	f := &frames{in: in}
	return &input.Members{In: in, What: c, Begin: f.begin, Free: f.close}, nil
}

// frames reads frames, one after the other.
type frames struct {
	in   *input.Compressed
	dec  *zstd.Decoder
	open *frame // dec decompresses it
}

// begin begins the frame at in's next byte.
func (f *frames) begin(head []byte) (_ io.Reader, err error) {
	switch {
	case skippable(head):
		return eof{}, f.skip(head)
	case !bytes.HasPrefix(head, mark):
		return nil, nil
	}
	most := f.in.Options.MaxWindow
	if f.open, err = newFrame(f.in.Reader, f.in.Split.Size-f.in.Offset(), most); err != nil {
		return nil, f.refused(err)
	}
	if f.dec == nil {
		f.dec, err = zstd.NewReader(f.open,
			zstd.WithDecoderConcurrency(1), // in the caller's goroutine
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(uint64(max(most, zstd.MinWindowSize))))
	} else {
		err = f.dec.Reset(f.open)
	}
	return f, err
}

// Read reads the contents of the open frame.
func (f *frames) Read(p []byte) (int, error) {
	n, err := f.dec.Read(p)
	f.open.out += int64(n)
	if err != nil && err != io.EOF { // errors that wrap it count as failures
		err = f.refused(f.open.failed(err))
	}
	return n, err
}

// refused returns err, as an error of the input if the frame can't be read here.
func (f *frames) refused(err error) error {
	if window, ok := errors.AsType[*windowError](err); ok {
		return f.in.Refuse(window.Error())
	}
	if dictionary, ok := errors.AsType[dictionaryError](err); ok {
		return f.in.Refuse(dictionary.Error())
	}
	return err
}

// skip skips a frame that contains nothing to decompress.
func (f *frames) skip(head []byte) error {
	var h zstd.Header
	if err := h.Decode(head[:8]); err != nil {
		return err
	}
	left := int64(h.HeaderSize) + int64(h.SkippableSize)
	for left > 0 {
		n, err := f.in.Discard(int(min(left, 1<<20)))
		left -= int64(n)
		if err == io.EOF {
			return input.ErrCut
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *frames) close() {
	if f.dec != nil {
		f.dec.Close()
	}
}

// eof is a reader of nothing.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
