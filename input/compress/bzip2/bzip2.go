// Package bzip2 decompresses objects of bzip2, of one or more streams.
package bzip2

import (
	"bytes"
	"compress/bzip2"
	"io"

	"github.com/bucketmill/bucketmill/input"
)

// Compression is bzip2.
type Compression struct{}

var suffixes = []string{".bz2"}

// After the mark and the level, a block follows, or the end of a stream without blocks.
var (
	mark  = []byte("BZh")
	block = []byte{0x31, 0x41, 0x59, 0x26, 0x53, 0x59}
	end   = []byte{0x17, 0x72, 0x45, 0x38, 0x50, 0x90}
)

func (Compression) String() string { return "bzip2" }

// Suffixes implements input.Compression.
func (Compression) Suffixes() []string { return suffixes }

// Matches implements input.Compression.
func (Compression) Matches(head []byte) bool {
	return bytes.HasPrefix(head, mark) && len(head) >= 10 && head[3] >= '1' && head[3] <= '9' &&
		(bytes.HasPrefix(head[4:], block) || bytes.HasPrefix(head[4:], end))
}

// Splittable implements input.Compression.
func (Compression) Splittable() bool { return false }

// Open implements input.Compression.
func (c Compression) Open(in *input.Compressed) (input.Decompressor, error) {
	return &input.Members{In: in, What: c, Begin: func(head []byte) (io.Reader, error) {
		if !c.Matches(head) {
			return nil, nil
		}
		return newStreams(in), nil
	}}, nil
}

// streams reads streams of bzip2 up to the first byte that belongs to none. Package compress/bzip2
// goes on to the next stream by itself, and then fails without saying where the last one ended. So
// streams watches the bytes that the package reads.
type streams struct {
	in  *input.Compressed
	dec io.Reader
	// The last 16 bytes that dec has read.
	high, low uint64
}

func newStreams(in *input.Compressed) *streams {
	s := &streams{in: in}
	s.dec = bzip2.NewReader(source{s})
	return s
}

// Read implements io.Reader.
func (s *streams) Read(p []byte) (int, error) {
	n, err := s.dec.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	for past := 1; past <= 4; past++ { // as many as begin a stream
		if s.ended(past) {
			return n, s.in.Trailing(Compression{}, s.in.Offset()-int64(past))
		}
	}
	return n, err
}

// ended reports whether a stream ended, and past bytes, up to 4, were read since. A stream ends
// with a mark of 48 bits, a checksum of 32, and up to 7 bits that fill the last byte.
func (s *streams) ended(past int) bool {
	const end, bits = 0x177245385090, 48
	for fill := range 8 {
		shift := 8*past + fill + 32
		v := s.high >> max(shift-64, 0)
		if shift < 64 {
			v = s.low>>shift | s.high<<(64-shift)
		}
		if v&(1<<bits-1) == end {
			return true
		}
	}
	return false
}

// source is what the decompressor of streams reads.
type source struct{ *streams }

// ReadByte implements io.ByteReader. It stops before a NUL that follows a stream.
func (b source) ReadByte() (byte, error) {
	c, err := b.in.ReadByte()
	if err != nil {
		return c, err
	}
	if c == 0 && b.ended(0) {
		if err := b.in.UnreadByte(); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	b.high = b.high<<8 | b.low>>56
	b.low = b.low<<8 | uint64(c)
	return c, nil
}
