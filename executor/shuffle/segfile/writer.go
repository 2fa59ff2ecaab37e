package segfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/s2"
)

const footerLen = 32

// Writer writes a file's header, segments, index and footer. Segments are written in the order of
// their partitions; Begin skips empty ones. A Writer belongs to one goroutine.
type Writer struct {
	w           io.Writer
	identity    Identity
	fingerprint uint32
	partitions  int
	blockSize   int
	flags       uint8 // of every block

	out     []byte // bytes of the file that follow the written ones
	written int64
	flushAt int // length of out, in bytes, at which it is written

	manifest Manifest
	segment  Segment // the current one
	ordinal  uint32
	held     blockHeader // of the current block, written when it is known whether the block is the last
	heldAt   int         // the header's offset in out; -1: none
}

// Layout is a Writer's configuration.
type Layout struct {
	Identity   Identity
	Partitions int
	// BlockSize is the raw size in bytes at which blocks are cut.
	BlockSize int
	// Buffer is how many bytes a Writer gathers before it writes them.
	Buffer int
	// SortedValues says that the records of one key are sorted by value.
	SortedValues bool
}

// NewWriter returns a Writer of a file to w.
func NewWriter(w io.Writer, l Layout) *Writer {
	f := &Writer{
		w: w, identity: l.Identity, fingerprint: l.Identity.fingerprint(),
		partitions: l.Partitions, blockSize: l.BlockSize,
		flushAt: l.Buffer, heldAt: -1,
	}
	if l.SortedValues {
		f.flags |= flagSortedValues
	}
	f.out = appendHeader(make([]byte, 0, l.Buffer+blockHeaderLen+max(0, s2.MaxEncodedLen(l.BlockSize))), l.Identity, l.Partitions, l.BlockSize)
	return f
}

// offset returns the next byte's offset in the file.
func (f *Writer) offset() int64 { return f.written + int64(len(f.out)) }

// Begin starts a partition's segment. The previous segment must be ended.
func (f *Writer) Begin(partition int) {
	f.passTo(partition)
	f.segment = Segment{Offset: f.offset()}
	f.ordinal = 0
}

func (f *Writer) passTo(partition int) {
	for len(f.manifest.Segments) < partition {
		f.manifest.Segments = append(f.manifest.Segments, Segment{Offset: f.offset()})
	}
}

// Add appends raw, which has encoded records back to back, as one block.
func (f *Writer) Add(raw []byte, records int) error {
	if len(raw) == 0 {
		return nil
	}
	if len(raw) > MaxBlock {
		return fmt.Errorf("block of %d bytes exceeds the limit of %d bytes", len(raw), MaxBlock)
	}
	f.writeHeader(0)
	if len(f.out) >= f.flushAt {
		if err := f.flush(); err != nil {
			return err
		}
	}
	f.heldAt = len(f.out)
	f.out = grow(f.out, blockHeaderLen)[:f.heldAt+blockHeaderLen]
	var used codec
	f.out, used = compress(f.out, raw)
	payload := f.out[f.heldAt+blockHeaderLen:]
	f.held = blockHeader{
		fingerprint: f.fingerprint,
		partition:   uint32(len(f.manifest.Segments)),
		ordinal:     f.ordinal,
		records:     uint32(records),
		rawLen:      uint32(len(raw)),
		payloadLen:  uint32(len(payload)),
		payloadCRC:  crc32.Checksum(payload, castagnoli),
		codec:       used,
		flags:       f.flags,
	}
	f.ordinal++
	f.segment.Records += int64(records)
	f.segment.RawBytes += int64(len(raw))
	f.segment.MaxBlock = max(f.segment.MaxBlock, int64(len(raw)))
	return nil
}

// writeHeader writes the held block's header.
func (f *Writer) writeHeader(flags uint8) {
	if f.heldAt < 0 {
		return
	}
	f.held.flags |= flags
	f.held.put(f.out[f.heldAt:])
	f.heldAt = -1
}

// End ends the segment.
func (f *Writer) End() {
	f.writeHeader(flagLast)
	f.segment.Length = f.offset() - f.segment.Offset
	// The manifest's compact form has an upper bound, which it states only if one record exceeds
	// the block size.
	f.segment.MaxBlock = max(f.segment.MaxBlock, min(f.segment.RawBytes, int64(f.blockSize)))
	f.manifest.Segments = append(f.manifest.Segments, f.segment)
}

// Finish writes the index, with the writer's note, and the footer. If it returns no error the file
// is complete; the owner of the io.Writer commits it.
func (f *Writer) Finish(note []byte) (Manifest, error) {
	f.passTo(f.partitions)
	f.manifest.BlockSize = int64(f.blockSize)
	at := f.offset()
	start := len(f.out)
	f.out = appendHeader(f.out, f.identity, f.partitions, f.blockSize)
	f.out = binary.AppendUvarint(f.out, uint64(len(note)))
	f.out = append(f.out, note...)
	f.out = f.manifest.appendSegments(f.out)
	index := f.out[start:]
	f.manifest.Size = at + int64(len(index)) + footerLen
	f.out = appendFooter(f.out, footer{
		indexOffset: at, indexLen: uint32(len(index)),
		indexCRC: crc32.Checksum(index, castagnoli), size: f.manifest.Size,
	})
	return f.manifest, f.flush()
}

// Segments returns the segments that have been written so far.
func (f *Writer) Segments() []Segment { return f.manifest.Segments }

func (f *Writer) flush() error {
	n, err := f.w.Write(f.out)
	if err == nil && n < len(f.out) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("write segment file: %w", err)
	}
	f.written += int64(n)
	f.out = f.out[:0]
	return nil
}

// footer is the end of a file, which has a fixed size.
type footer struct {
	indexOffset int64
	indexLen    uint32
	indexCRC    uint32
	size        int64 // of the whole file
}

func appendFooter(dst []byte, f footer) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.indexOffset))
	dst = binary.LittleEndian.AppendUint32(dst, f.indexLen)
	dst = binary.LittleEndian.AppendUint32(dst, f.indexCRC)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.size))
	dst = append(dst, footerMagic[:]...)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// parseFooter reads the footer in b, which has footerLen bytes, of an object of size bytes.
func parseFooter(b []byte, size int64) (footer, error) {
	le := binary.LittleEndian
	if [4]byte(b[24:]) != footerMagic {
		return footer{}, errors.New("no footer at the end of the object")
	}
	if crc32.Checksum(b[:28], castagnoli) != le.Uint32(b[28:]) {
		return footer{}, errors.New("footer checksum mismatch")
	}
	f := footer{
		indexOffset: int64(le.Uint64(b)), indexLen: le.Uint32(b[8:]),
		indexCRC: le.Uint32(b[12:]), size: int64(le.Uint64(b[16:])),
	}
	if f.size != size {
		return footer{}, fmt.Errorf("object has %d bytes, but its footer says %d", size, f.size)
	}
	if f.indexOffset < fileHeaderLen || f.indexLen < fileHeaderLen || f.indexOffset != size-footerLen-int64(f.indexLen) {
		return footer{}, errors.New("index is not where the footer says")
	}
	return f, nil
}
