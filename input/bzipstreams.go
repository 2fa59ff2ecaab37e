package input

import (
	"compress/bzip2"
	"io"
)

// bzipStreams reads streams of bzip2 up to the first byte that belongs to none. The package for
// bzip2 goes on to the next stream by itself and then fails without telling where the last one ended, so
// the bytes that it reads are looked at.
type bzipStreams struct {
	m   *members
	dec io.Reader
	// The last 16 bytes that dec has read.
	high, low uint64
}

func newBzipStreams(m *members) *bzipStreams {
	s := &bzipStreams{m: m}
	s.dec = bzip2.NewReader(bzipBytes{s})
	return s
}

// Read implements io.Reader.
func (s *bzipStreams) Read(p []byte) (int, error) {
	n, err := s.dec.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	for past := 1; past <= 4; past++ { // as many as begin a stream
		if s.ended(past) {
			return n, &trailingError{s.m.offset() - int64(past)}
		}
	}
	return n, err
}

// ended tells whether a stream ended, and that many bytes, up to 4, were read since. Its end is a mark of 48
// bits, a checksum of 32, and up to 7 bits that fill its last byte.
func (s *bzipStreams) ended(past int) bool {
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

// bzipBytes is what a bzipStreams' decompressor reads from.
type bzipBytes struct{ *bzipStreams }

// ReadByte implements io.ByteReader. It stops before a NUL that follows a stream.
func (b bzipBytes) ReadByte() (byte, error) {
	c, err := b.m.src.ReadByte()
	if err != nil {
		return c, err
	}
	if c == 0 && b.ended(0) {
		if err := b.m.src.UnreadByte(); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	b.high = b.high<<8 | b.low>>56
	b.low = b.low<<8 | uint64(c)
	return c, nil
}
