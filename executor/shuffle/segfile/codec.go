package segfile

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"
)

// codec says how a block is stored. Its number is in the block's header; 1 is reserved.
//
// S2 is faster than a disk or a network and halves the size of text. Zstd at its fastest level is a
// fifth to a third smaller and takes several times as long.
type codec uint8

const (
	codecS2   codec = 0
	codecNone codec = 2
)

// compress appends raw to dst, compressed if that saves at least a sixteenth, and returns the codec
// that it used.
func compress(dst, raw []byte) ([]byte, codec) {
	start := len(dst)
	if n := s2.MaxEncodedLen(len(raw)); n > 0 {
		dst = grow(dst, n)
		packed := s2.Encode(dst[start:start+n], raw)
		if size := len(packed); size <= len(raw)-len(raw)/16 {
			return dst[:start+size], codecS2
		}
	}
	return append(dst, raw...), codecNone
}

// grow returns b with room for n more bytes. Unlike append, it allocates hardly more than that:
// only enough that the next block of about the same size also fits.
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

// decompress returns the rawLen bytes of payload: in dst's memory if there is room for them, in new
// memory if not, and as payload itself if it is not compressed. The caller vouches for rawLen,
// which is how many bytes decompress allocates at most.
func decompress(dst []byte, c codec, payload []byte, rawLen int) ([]byte, error) {
	if c == codecNone {
		if len(payload) != rawLen {
			return nil, errDecompress
		}
		return payload, nil
	}
	if n, err := s2.DecodedLen(payload); err != nil || n != rawLen {
		return nil, errDecompress
	}
	raw, err := s2.Decode(grow(dst[:0], rawLen)[:rawLen], payload)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDecompress, err)
	}
	return raw, nil
}
