package split

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"github.com/dustin/go-humanize"
	"github.com/klauspost/compress/zstd"
)

// DefaultMaxWindow is the window of zstd, in bytes, that is always taken: what the zstd program takes
// unless told otherwise.
const DefaultMaxWindow = 128 << 20

// windowError says that a zstd frame needs more memory than there is for it.
type windowError struct{ need, most int64 } // bytes

func (e *windowError) Error() string {
	return fmt.Sprintf("the zstd data needs a window of %s, and %s are allowed (a quarter of a slot's memory, or 128 MiB): "+
		"raise --memory or use fewer slots; or compress it again with a window of up to %s (zstd --long=27)",
		humanize.IBytes(uint64(e.need)), humanize.IBytes(uint64(e.most)), humanize.IBytes(DefaultMaxWindow))
}

// dictionaryError says that a zstd frame can only be read with a dictionary, by its number.
type dictionaryError uint32

func (e dictionaryError) Error() string {
	return fmt.Sprintf("the zstd data needs the dictionary %d, which can't be given: decompress it (zstd -d -D DICTIONARY)", uint32(e))
}

const (
	zstdBlock    = 128 << 10 // the most that a block of zstd holds, in bytes
	zstdLeast    = 4         // the least that it takes, in bytes
	zstdWindowAt = 5         // where the window stands in a frame's header: behind mark and flags
)

// zstdFrame reads the bytes of one frame from src, and no more. It ends with io.EOF.
//
//	frame  = header block* [checksum of 4 bytes]
//	header = mark of 4 bytes, flags, [window], [dictionary], [size]
//	block  = 3 bytes, little endian: last (1 bit), type (2 bits), size (21 bits); data, one byte if type is 1
type zstdFrame struct {
	src     *bufio.Reader
	head    []byte // what is left of the header
	left    int    // bytes of the open block, or of the checksum
	checked bool   // a checksum follows the last block
	last    bool   // the open block is the last
}

// newZstdFrame reads the header of the frame that src begins with. Rest is how many bytes the object has from
// there on. It fails with a windowError if the frame needs a window of more than so many bytes.
//
// A frame from a pipe has a window as large as its writer allowed, however little it holds. A
// decompressor takes memory for all of it, so the header is given to it with as small a one as will do: no
// reference to earlier bytes goes farther back than to the frame's first.
func newZstdFrame(src *bufio.Reader, rest, maxWindow int64) (*zstdFrame, error) {
	head, err := src.Peek(zstd.HeaderMaxSize + 1)
	if err != nil && err != io.EOF {
		return nil, err
	}
	var h zstd.Header
	if err := h.Decode(head); err != nil {
		return nil, err
	}
	if h.DictionaryID != 0 {
		return nil, dictionaryError(h.DictionaryID)
	}
	f := &zstdFrame{src: src, head: make([]byte, h.HeaderSize), checked: h.HasCheckSum}
	if _, err := io.ReadFull(src, f.head); err != nil {
		return nil, err
	}
	if h.SingleSegment {
		h.WindowSize = h.FrameContentSize
	}
	most := uint64(min(rest, 1<<40)/zstdLeast+1) * zstdBlock // that the frame can hold
	if h.HasFCS {
		most = min(most, h.FrameContentSize)
	}
	need := h.WindowSize
	if log := bits.Len64(max(most, zstdBlock) - 1); !h.SingleSegment && uint64(1)<<log < need {
		need = 1 << log
		f.head[zstdWindowAt] = byte(log-10) << 3
	}
	if need > uint64(maxWindow) {
		return nil, &windowError{need: int64(min(h.WindowSize, 1<<62)), most: maxWindow}
	}
	return f, nil
}

// Read implements io.Reader.
func (f *zstdFrame) Read(p []byte) (int, error) {
	if len(f.head) > 0 {
		n := copy(p, f.head)
		f.head = f.head[n:]
		return n, nil
	}
	if f.left == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n, err := f.src.Read(p[:min(len(p), f.left)])
	f.left -= n
	if err == io.EOF {
		return n, errCut
	}
	return n, err
}

// next goes on to the next block, or to the checksum.
func (f *zstdFrame) next() error {
	if f.last {
		if !f.checked {
			return io.EOF
		}
		f.checked, f.left = false, 4
		return nil
	}
	const headerLen, repeated = 3, 1
	head, err := f.src.Peek(headerLen)
	if err == io.EOF {
		return errCut
	}
	if err != nil {
		return err
	}
	h := uint32(head[0]) | uint32(binary.LittleEndian.Uint16(head[1:]))<<8
	f.last, f.left = h&1 != 0, headerLen+int(h>>3)
	if h>>1&3 == repeated {
		f.left = headerLen + 1
	}
	return nil
}
