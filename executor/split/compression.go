package split

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is how an object's bytes are compressed.
type Compression uint8

const (
	Uncompressed Compression = iota
	Gzip                     // .gz; of one or more members
	Bzip2                    // .bz2; of one or more streams
	Zstd                     // .zst or .zstd; of one or more frames
)

// maxZstdWindow is the largest window, in bytes, that a zstd frame may ask for: what the
// zstd program accepts unless told otherwise.
const maxZstdWindow = 128 << 20

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

// matches reports whether an object may be so compressed, from its first bytes.
func (c Compression) matches(start []byte) bool {
	switch c {
	case Gzip:
		return bytes.HasPrefix(start, []byte{0x1f, 0x8b})
	case Bzip2:
		return bytes.HasPrefix(start, []byte("BZh"))
	case Zstd: // a frame, or a skippable frame
		return bytes.HasPrefix(start, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
			len(start) == 4 && start[0]&0xf0 == 0x50 && bytes.Equal(start[1:], []byte{0x2a, 0x4d, 0x18})
	}
	return true
}

// decompressor reads what src holds compressed by c. Release frees its memory.
func (c Compression) decompressor(src *bufio.Reader) (dec io.Reader, release func(), err error) {
	switch c {
	case Gzip:
		dec, err := gzip.NewReader(src)
		return dec, func() {}, err
	case Bzip2:
		return bzip2.NewReader(src), func() {}, nil
	case Zstd:
		dec, err := zstd.NewReader(src,
			zstd.WithDecoderConcurrency(1), // in the caller's goroutine
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, nil, err
		}
		return dec, dec.Close, nil
	}
	return src, func() {}, nil
}
