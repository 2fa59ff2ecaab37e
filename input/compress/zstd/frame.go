package zstd

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"github.com/dustin/go-humanize"
	"github.com/klauspost/compress/zstd"

	"github.com/bucketmill/bucketmill/input"
)

// windowError reports a frame that needs more memory than it may have.
type windowError struct{ need, most int64 } // bytes

func (e *windowError) Error() string {
	return fmt.Sprintf("the zstd data needs a window of %s, and %s are allowed (a quarter of a slot's memory, or 128 MiB): "+
		"raise --memory or use fewer slots; or compress it again with a window of up to %s (zstd --long=27)",
		humanize.IBytes(uint64(e.need)), humanize.IBytes(uint64(e.most)), humanize.IBytes(input.DefaultMaxWindow))
}

// dictionaryError reports a frame that needs a dictionary, by the dictionary's number.
type dictionaryError uint32

func (e dictionaryError) Error() string {
	return fmt.Sprintf("the zstd data needs the dictionary %d, and dictionaries are not supported: decompress it (zstd -d -D DICTIONARY)", uint32(e))
}

const (
	blockMost     = 128 << 10 // the most that a block can contain, in bytes
	blockLeast    = 4         // the least size of a block that contains blockMost, in bytes
	flagsAt       = 4         // the place of the flags in a frame's header
	windowAt      = 5         // the place of the window, unless the flags say that the frame is its own window
	singleSegment = 1 << 5
)

// frame reads the bytes of one frame from src, and no more. It ends with io.EOF.
//
//	frame  = header block* [checksum of 4 bytes]
//	header = mark of 4 bytes, flags, [window], [dictionary], [size]
//	block  = 3 bytes, little endian: last (1 bit), type (2 bits), size (21 bits);
//	         data, one byte if type is 1
type frame struct {
	src     *bufio.Reader
	head    []byte // what is left of the header
	left    int    // bytes of the open block, or of the checksum
	checked bool   // a checksum follows the last block
	window  int64  // bytes; what the decompressor reads
	wanted  int64  // bytes; what the frame says
	out     int64  // bytes decompressed so far
	last    bool   // the open block is the last
}

// newFrame reads the header of the frame at the start of src. Rest is how many bytes of the object
// are left.
//
// A frame says how far back its references may go, and a decompressor allocates memory for all of
// that. But zstd --long=31 says 2 GiB however little data it compresses. So the decompressor gets a
// shorter window if one is enough: a window for all that the frame can contain, since no reference
// goes back beyond the first byte; or else maxWindow. Then decompression fails only at a reference
// that goes farther back, and many frames have none.
func newFrame(src *bufio.Reader, rest, maxWindow int64) (*frame, error) {
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
	f := &frame{src: src, head: make([]byte, h.HeaderSize), checked: h.HasCheckSum}
	if _, err := io.ReadFull(src, f.head); err != nil {
		return nil, err
	}
	if h.SingleSegment {
		h.WindowSize = h.FrameContentSize
	}
	f.wanted = int64(min(h.WindowSize, 1<<62))
	f.window = f.wanted
	most := min(rest, 1<<40)/blockLeast*blockMost + blockMost // that the frame can contain
	if h.HasFCS {
		most = min(most, int64(min(h.FrameContentSize, 1<<62)))
	}
	if window := int64(1) << bits.Len64(uint64(max(most, blockMost)-1)); window < f.window {
		f.setWindow(window)
	}
	if maxWindow < f.window {
		if maxWindow < blockMost { // then its blocks would be too large, too
			return nil, f.tooLong(maxWindow)
		}
		f.setWindow(maxWindow)
	}
	return f, nil
}

// setWindow writes a window of that many bytes or a little less, at least blockMost, into the
// header.
func (f *frame) setWindow(window int64) {
	// The byte is exponent (5 bits) and mantissa (3 bits): (1 + mantissa/8) << (10 + exponent).
	log := bits.Len64(uint64(window)) - 1
	eighths := window>>(log-3) - 8
	f.window = (8 + eighths) << (log - 3)
	descriptor := byte((log-10)<<3) | byte(eighths)
	if flags := &f.head[flagsAt]; *flags&singleSegment != 0 { // it has no window yet
		*flags &^= singleSegment
		f.head = slices.Insert(f.head, windowAt, descriptor)
		return
	}
	f.head[windowAt] = descriptor
}

// failed returns the error if the decompressor failed with err, perhaps because its window is too
// short.
func (f *frame) failed(err error) error {
	if f.window == f.wanted || f.out+blockMost <= f.window {
		return err
	}
	return f.tooLong(f.window)
}

func (f *frame) tooLong(most int64) error { return &windowError{need: f.wanted, most: most} }

// Read implements io.Reader.
func (f *frame) Read(p []byte) (int, error) {
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
		return n, input.ErrCut
	}
	return n, err
}

// next goes on to the next block, or to the checksum.
func (f *frame) next() error {
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
		return input.ErrCut
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
