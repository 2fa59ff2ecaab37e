package shuffle

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// A Codec compresses blocks. Its number is stored in each block's header.
type Codec uint8

const (
	// S2 is the default: faster than a disk or a network, about half the size for text.
	S2 Codec = iota
	// Zstd is zstd at its fastest level: a fifth to a third smaller than S2, several times slower.
	Zstd
	// None stores blocks as they are.
	None
)

func (c Codec) String() string {
	switch c {
	case S2:
		return "s2"
	case Zstd:
		return "zstd"
	case None:
		return "none"
	}
	return fmt.Sprintf("codec(%d)", uint8(c))
}

// ParseCodec is the inverse of String; the empty name is S2.
func ParseCodec(name string) (Codec, error) {
	switch name {
	case "", "s2":
		return S2, nil
	case "zstd":
		return Zstd, nil
	case "none":
		return None, nil
	}
	return 0, fmt.Errorf("unknown shuffle codec %q: want s2, zstd or none", name)
}

func (c Codec) validate() error {
	if c > None {
		return fmt.Errorf("unknown shuffle %s", c)
	}
	return nil
}

// compressor holds what one goroutine needs to compress blocks one after the other.
type compressor struct {
	codec Codec
	zstd  *zstd.Encoder
}

func newCompressor(codec Codec) (*compressor, error) {
	if err := codec.validate(); err != nil {
		return nil, err
	}
	c := &compressor{codec: codec}
	if codec == Zstd {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
		if err != nil {
			return nil, fmt.Errorf("start zstd encoder: %w", err)
		}
		c.zstd = enc
	}
	return c, nil
}

// append appends raw to dst, compressed if that saves at least a sixteenth, and says which codec it
// used in the end.
func (c *compressor) append(dst, raw []byte) ([]byte, Codec) {
	start := len(dst)
	switch c.codec {
	case S2:
		if n := s2.MaxEncodedLen(len(raw)); n > 0 {
			dst = grow(dst, n)
			packed := s2.Encode(dst[start:start+n], raw)
			dst = dst[:start+len(packed)]
		}
	case Zstd:
		dst = c.zstd.EncodeAll(raw, dst)
	}
	if size := len(dst) - start; c.codec == None || size == 0 || size > len(raw)-len(raw)/16 {
		return append(dst[:start], raw...), None
	}
	return dst, c.codec
}

// grow returns b with room for n more bytes. Unlike append it takes hardly more than that when a
// large block comes by, and a little more so that the next one of about that size fits.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	const page = 4 << 10
	size := (len(b) + n + n/64 + page - 1) / page * page
	bigger := make([]byte, len(b), size)
	copy(bigger, b)
	return bigger
}

var errDecompress = errors.New("payload does not decompress to its stated length")

// decompressor holds what one goroutine needs to decompress blocks one after the other.
type decompressor struct{ zstd *zstd.Decoder }

// decompress returns payload's rawLen bytes in a buffer of its own, which may be dst's, or payload
// itself if it is not compressed. It never makes more than rawLen bytes: the caller vouches for
// that number.
func (d *decompressor) decompress(dst []byte, codec Codec, payload []byte, rawLen int) ([]byte, error) {
	if codec == None {
		if len(payload) != rawLen {
			return nil, errDecompress
		}
		return payload, nil
	}
	if codec == S2 {
		if n, err := s2.DecodedLen(payload); err != nil || n != rawLen {
			return nil, errDecompress
		}
	}
	dst = grow(dst[:0], rawLen)
	switch codec {
	case S2:
		raw, err := s2.Decode(dst[:rawLen], payload)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errDecompress, err)
		}
		return raw, nil
	case Zstd:
		if d.zstd == nil {
			dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
				zstd.WithDecoderLowmem(true))
			if err != nil {
				return nil, fmt.Errorf("start zstd decoder: %w", err)
			}
			d.zstd = dec
		}
		raw, err := d.zstd.DecodeAll(payload, dst[:0:rawLen])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errDecompress, err)
		}
		if len(raw) != rawLen {
			return nil, errDecompress
		}
		return raw, nil
	}
	return nil, fmt.Errorf("unknown shuffle %s", codec)
}

func (d *decompressor) close() {
	if d.zstd != nil {
		d.zstd.Close()
	}
}
