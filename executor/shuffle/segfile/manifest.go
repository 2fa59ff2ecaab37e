package segfile

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Segment describes the records of one partition in a file.
type Segment struct {
	// Offset and Length are the segment's place in the file, in bytes. An empty partition has
	// Length 0.
	Offset, Length int64
	Records        int64
	// RawBytes is the length in bytes of the encoded records before compression.
	RawBytes int64
	// MaxBlock is the raw length in bytes of the segment's largest block, for which a reader needs
	// memory.
	MaxBlock int64
}

// Manifest says where a file's segments are. It travels with the attempt's commit, so a reducer
// reads its segment without first reading the file's index.
type Manifest struct {
	// Size is the file's length in bytes.
	Size int64
	// BlockSize is the raw size in bytes at which blocks are cut. Only a block of a single record
	// is larger.
	BlockSize int64
	// Segments has one segment for each partition; they follow each other in the file.
	Segments []Segment
}

const manifestVersion = 1

// AppendBinary appends m in its compact form: five to nine bytes for a segment, one for an empty
// one. The error is always nil; encoding.BinaryAppender requires it.
func (m Manifest) AppendBinary(dst []byte) ([]byte, error) {
	dst = append(dst, manifestVersion)
	dst = binary.AppendUvarint(dst, uint64(m.Size))
	return m.appendSegments(dst), nil
}

// appendSegments appends everything except the size, which a file's own index cannot know.
func (m *Manifest) appendSegments(dst []byte) []byte {
	base := int64(0)
	if len(m.Segments) > 0 {
		base = m.Segments[0].Offset
	}
	dst = binary.AppendUvarint(dst, uint64(m.BlockSize))
	dst = binary.AppendUvarint(dst, uint64(base))
	dst = binary.AppendUvarint(dst, uint64(len(m.Segments)))
	for _, s := range m.Segments {
		dst = binary.AppendUvarint(dst, uint64(s.Length))
		if s.Length == 0 {
			continue
		}
		large := uint64(0)
		if s.MaxBlock > m.BlockSize {
			large = 1
		}
		dst = binary.AppendUvarint(dst, uint64(s.Records)<<1|large)
		dst = binary.AppendUvarint(dst, uint64(s.RawBytes))
		if large == 1 {
			dst = binary.AppendUvarint(dst, uint64(s.MaxBlock))
		}
	}
	return dst
}

func (d *manifestDecoder) begin(m *Manifest) {
	if d.byte() != manifestVersion {
		d.fail("version is not 1")
	}
	m.Size = d.int()
}

func (d *manifestDecoder) err() error {
	if d.reason == "" {
		return nil
	}
	return fmt.Errorf("parse shuffle manifest: %w: %s", ErrCorrupt, d.reason)
}

// manifestDecoder reads varints until the first error, which it keeps.
type manifestDecoder struct {
	rest   []byte
	reason string
}

func (d *manifestDecoder) fail(reason string) {
	if d.reason == "" {
		d.reason = reason
	}
	d.rest = nil
}

func (d *manifestDecoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail("cut short")
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

// bytes reads a number and as many bytes.
func (d *manifestDecoder) bytes() []byte {
	n := d.int()
	if n > int64(len(d.rest)) {
		d.fail("cut short")
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

// int reads a varint in its shortest form.
func (d *manifestDecoder) int() int64 {
	v, n := binary.Uvarint(d.rest)
	switch {
	case n <= 0:
		d.fail("cut short")
		return 0
	case n > 1 && d.rest[n-1] == 0:
		d.fail("number not in its shortest form")
		return 0
	case v > math.MaxInt64:
		d.fail("number out of bounds")
		return 0
	}
	d.rest = d.rest[n:]
	return int64(v)
}

// segments reads into m, whose Size is known, what appendSegments wrote; nothing may follow.
func (d *manifestDecoder) segments(m *Manifest) {
	at, n := d.head(m)
	if d.reason != "" {
		return
	}
	m.Segments = make([]Segment, n)
	for i := range m.Segments {
		m.Segments[i] = d.segmentAt(m, at)
		if d.reason != "" {
			return
		}
		at += m.Segments[i].Length
	}
	d.end()
}

// head reads what precedes the segments, except for the size, which is known. It returns the offset
// of the first segment and the number of segments.
func (d *manifestDecoder) head(m *Manifest) (at, n int64) {
	m.BlockSize, at, n = d.int(), d.int(), d.int()
	switch {
	case d.reason != "":
	case m.BlockSize < 1 || m.BlockSize > MaxBlock || at > m.Size:
		d.fail("block size or offset out of bounds")
	case n < 1 || n > MaxPartitions || n > int64(len(d.rest)): // every segment takes at least one byte
		d.fail("number of partitions out of bounds")
	}
	return at, n
}

// segmentAt reads the segment at offset at of the file.
func (d *manifestDecoder) segmentAt(m *Manifest, at int64) Segment {
	s := Segment{Offset: at, Length: d.int()}
	if s.Length > 0 {
		d.segment(&s, m.BlockSize)
	}
	if s.Length > m.Size-at {
		d.fail("segment is outside of the file")
	}
	return s
}

func (d *manifestDecoder) end() {
	if len(d.rest) != 0 {
		d.fail("bytes after the end")
	}
}

func (d *manifestDecoder) segment(s *Segment, blockSize int64) {
	records := d.int()
	s.Records = records >> 1
	s.RawBytes = d.int()
	s.MaxBlock = min(s.RawBytes, blockSize)
	if records&1 == 1 {
		s.MaxBlock = d.int()
		if s.MaxBlock <= blockSize || s.MaxBlock > s.RawBytes || s.MaxBlock > MaxBlock {
			d.fail("largest block out of bounds")
		}
	}
	if s.Length <= blockHeaderLen || s.Records < 1 || s.RawBytes/2 < s.Records {
		d.fail("segment out of bounds")
	}
}
