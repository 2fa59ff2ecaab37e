package record

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrCorrupt reports bytes that are not encoded records.
var ErrCorrupt = errors.New("record block is corrupt")

// MaxFieldLen is the length in bytes of the longest key or value. In practice the memory budget is
// the lower limit.
const MaxFieldLen = math.MaxInt32

// Append appends one encoded record to dst.
func Append(dst, key, value []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	dst = append(dst, key...)
	return append(dst, value...)
}

// Read decodes the first record of block. Key and value alias block; n is the length of the encoded
// record. It fails with ErrCorrupt if block does not start with a whole record.
func Read(block []byte) (key, value []byte, n int, err error) {
	// Nearly all lengths are below 128: one byte each.
	if len(block) >= 2 && block[0]|block[1] < 0x80 {
		k := 2 + int(block[0])
		n = k + int(block[1])
		if n > len(block) {
			return nil, nil, 0, ErrCorrupt
		}
		return block[2:k:k], block[k:n:n], n, nil
	}
	klen, a := binary.Uvarint(block)
	if a <= 0 || klen > MaxFieldLen {
		return nil, nil, 0, ErrCorrupt
	}
	vlen, b := binary.Uvarint(block[a:])
	if b <= 0 || vlen > MaxFieldLen {
		return nil, nil, 0, ErrCorrupt
	}
	k := a + b + int(klen)
	n = k + int(vlen)
	if n > len(block) {
		return nil, nil, 0, ErrCorrupt
	}
	return block[a+b : k : k], block[k:n:n], n, nil
}
