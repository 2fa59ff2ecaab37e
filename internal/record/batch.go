package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
)

// Framing says how the records in a Batch's Data are delimited.
type Framing uint8

const (
	// Lines: text lines that end with LF or CRLF; only the last line of an object may lack its end.
	// A record is a line without its end.
	Lines Framing = iota + 1
	// Fixed: records of RecordLen bytes back to back; only the last of an object may be
	// shorter.
	Fixed
	// Whole: Data is one record.
	Whole
	// Encoded: a block of encoded records; each key is the record's offset in 8 bytes, big endian.
	Encoded
	// Keyed: a block of encoded records that have keys. Each key in the block is the record's
	// offset as for Encoded, followed by the record's own key, of any length.
	Keyed
)

// A Batch is a run of whole input records from one object, in one buffer.
type Batch struct {
	// Input is the URL of the object that the records come from.
	Input string
	// Offset is the offset in the object, after decompression, of Data's first byte.
	Offset int64
	// Framing says how to find the records in Data.
	Framing Framing
	// RecordLen is the length of a record in bytes; for Fixed only.
	RecordLen int
	// Header is the header line, without its end, if the input has one (CSV).
	Header []byte
	// Data contains the records. It is valid only until the next batch is read.
	Data []byte
}

// Err returns an ErrCorrupt if Data is not what Framing says, and nil otherwise. It reads every
// record. DecodeBatch returns only batches without an Err.
func (b *Batch) Err() error {
	switch {
	case b.Framing < Lines || b.Framing > Keyed:
		return fmt.Errorf("%w: unknown framing %d", ErrCorrupt, b.Framing)
	case b.Framing == Fixed && b.RecordLen <= 0:
		return fmt.Errorf("%w: records of %d bytes", ErrCorrupt, b.RecordLen)
	case b.Offset < 0 || b.Offset > math.MaxInt64-int64(len(b.Data)):
		return fmt.Errorf("%w: %d bytes at offset %d", ErrCorrupt, len(b.Data), b.Offset)
	case b.Framing < Encoded:
		return nil
	}
	for at := 0; at < len(b.Data); {
		key, _, n, err := Read(b.Data[at:])
		switch {
		case err != nil:
			return fmt.Errorf("%w: incomplete record at byte %d of %d", ErrCorrupt, at, len(b.Data))
		case !b.isKey(key) || key[0] >= 0x80:
			return fmt.Errorf("%w: the record at byte %d has no offset", ErrCorrupt, at)
		}
		at += n
	}
	return nil
}

// offsetLen is the length of an offset in the key of an encoded record.
const offsetLen = 8

// isKey reports whether the key of an encoded record has the length that the framing promises.
func (b *Batch) isKey(key []byte) bool {
	return len(key) == offsetLen || b.Framing == Keyed && len(key) > offsetLen
}

// Records yields every record with its offset in the object. The bytes alias b.Data. It panics if
// the batch has an Err, so that no record is silently left out.
func (b *Batch) Records() iter.Seq2[int64, []byte] {
	return func(yield func(int64, []byte) bool) {
		switch b.Framing {
		case Lines:
			b.lines(yield)
		case Fixed:
			for at := 0; at < len(b.Data); at += b.RecordLen {
				if !yield(b.Offset+int64(at), b.Data[at:min(at+b.RecordLen, len(b.Data))]) {
					return
				}
			}
		case Whole:
			yield(b.Offset, b.Data)
		default:
			for rest := b.Data; len(rest) > 0; {
				key, value, n, err := Read(rest)
				if err != nil || !b.isKey(key) {
					panic(b.Err())
				}
				if !yield(int64(binary.BigEndian.Uint64(key)), value) {
					return
				}
				rest = rest[n:]
			}
		}
	}
}

// Pairs yields every record of a Keyed batch as its own key and its value, like Records.
func (b *Batch) Pairs() iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		for rest := b.Data; len(rest) > 0; {
			key, value, n, err := Read(rest)
			if err != nil || !b.isKey(key) {
				panic(b.Err())
			}
			if !yield(key[offsetLen:], value) {
				return
			}
			rest = rest[n:]
		}
	}
}

// AppendKeyed appends a record with its offset and its own key to the block of a Keyed batch.
func AppendKeyed(dst []byte, offset int64, key, value []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(offsetLen+len(key)))
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	dst = binary.BigEndian.AppendUint64(dst, uint64(offset))
	dst = append(dst, key...)
	return append(dst, value...)
}

func (b *Batch) lines(yield func(int64, []byte) bool) {
	for at := 0; at < len(b.Data); {
		line, next := b.Data[at:], len(b.Data)
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line, next = line[:i], at+i+1
			if i > 0 && line[i-1] == '\r' {
				line = line[:i-1]
			}
		}
		if !yield(b.Offset+int64(at), line) {
			return
		}
		at = next
	}
}

// Len returns the number of records.
func (b *Batch) Len() int {
	switch b.Framing {
	case Lines:
		n := bytes.Count(b.Data, []byte{'\n'})
		if len(b.Data) > 0 && b.Data[len(b.Data)-1] != '\n' {
			n++
		}
		return n
	case Fixed:
		return (len(b.Data) + b.RecordLen - 1) / b.RecordLen
	case Whole:
		return 1
	}
	n := 0
	for range b.Records() {
		n++
	}
	return n
}
