package input

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// Compression is how an object's bytes are compressed.
type Compression uint8

const (
	Uncompressed Compression = iota
	Gzip                     // .gz; of one or more members
	Bzip2                    // .bz2; of one or more streams
	Zstd                     // .zst or .zstd; of one or more frames
)

// CompressionOf tells an object's compression by the suffix of its name or URL, in any case.
func CompressionOf(name string) Compression {
	name = strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	switch {
	case strings.HasSuffix(name, ".gz"):
		return Gzip
	case strings.HasSuffix(name, ".bz2"):
		return Bzip2
	case strings.HasSuffix(name, ".zst"), strings.HasSuffix(name, ".zstd"):
		return Zstd
	}
	return Uncompressed
}

func (c Compression) String() string {
	switch c {
	case Uncompressed:
		return "uncompressed"
	case Gzip:
		return "gzip"
	case Bzip2:
		return "bzip2"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("Compression(%d)", c)
}

// How compressed data begin.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	bzipMagic = []byte("BZh")
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
	// After bzip2's mark and level comes a block, or the end of a stream without any.
	bzipBlock = []byte{0x31, 0x41, 0x59, 0x26, 0x53, 0x59}
	bzipEnd   = []byte{0x17, 0x72, 0x45, 0x38, 0x50, 0x90}
)

// matches reports whether data are so compressed, from their first bytes, of which there are headBytes
// unless the data are shorter.
func (c Compression) matches(head []byte) bool {
	switch c {
	case Gzip:
		return bytes.HasPrefix(head, gzipMagic)
	case Bzip2:
		return bytes.HasPrefix(head, bzipMagic) && len(head) >= 10 && head[3] >= '1' && head[3] <= '9' &&
			(bytes.HasPrefix(head[4:], bzipBlock) || bytes.HasPrefix(head[4:], bzipEnd))
	case Zstd:
		for skippable(head) {
			n := 8 + int64(binary.LittleEndian.Uint32(head[4:]))
			if n >= int64(len(head)) {
				return true // lz4 has such frames, too, but zstd's are in use
			}
			head = head[n:]
		}
		return bytes.HasPrefix(head, zstdMagic)
	}
	return true
}

// skippable tells whether data begin with a frame that a decompressor passes over.
func skippable(head []byte) bool {
	return len(head) >= 8 && head[0]&0xf0 == 0x50 && bytes.HasPrefix(head[1:], []byte{0x2a, 0x4d, 0x18})
}
