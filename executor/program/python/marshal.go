package python

import (
	"encoding/binary"
	"math/big"
	"slices"
)

// The values of a Python program in the form of marshal, version 2 (Python/marshal.c of CPython): a
// letter, and what belongs to it, little endian. An int beyond 32 bits is the letter l, the number
// of its digits in base 2^15 (negative if the int is), and the digits.

func appendInt32(dst []byte, n int32) []byte {
	return binary.LittleEndian.AppendUint32(append(dst, 'i'), uint32(n)) //nolint:gosec // its bits
}

func appendSized(dst []byte, letter byte, n int) []byte {
	return binary.LittleEndian.AppendUint32(append(dst, letter), uint32(n)) //nolint:gosec // no frame is that long
}

// digitBits is the number of bits in a digit.
const digitBits = 15

// appendInt appends any int64.
func appendInt(dst []byte, n int64) []byte {
	if int64(int32(n)) == n {
		return appendInt32(dst, int32(n))
	}
	magnitude := uint64(n)
	if n < 0 {
		magnitude = -magnitude
	}
	at := len(dst) + 1
	dst = appendSized(dst, 'l', 0)
	digits := int32(0)
	for ; magnitude > 0; magnitude >>= digitBits {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(magnitude&(1<<digitBits-1)))
		digits++
	}
	if n < 0 {
		digits = -digits
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(digits)) //nolint:gosec // its bits
	return dst
}

// appendLong appends an int of any size, given in two's complement, little endian.
func appendLong(dst, complement []byte) []byte {
	if len(complement) <= 8 {
		var n uint64
		for i, b := range complement {
			n |= uint64(b) << (8 * i)
		}
		unused := 64 - 8*len(complement)
		return appendInt(dst, int64(n<<unused)>>unused) //nolint:gosec // its bits
	}
	n := twosComplement(complement)
	negative := n.Sign() < 0
	magnitude := n.Abs(n).Bytes()
	slices.Reverse(magnitude)
	at := len(dst) + 1
	dst = appendSized(dst, 'l', 0)
	var bits uint32
	var have, digits int32
	for _, b := range magnitude {
		bits |= uint32(b) << have
		if have += 8; have >= digitBits {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(bits&(1<<digitBits-1)))
			bits >>= digitBits
			have -= digitBits
			digits++
		}
	}
	if bits > 0 {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(bits))
		digits++
	}
	if negative {
		digits = -digits
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(digits)) //nolint:gosec // its bits
	return dst
}

func twosComplement(little []byte) *big.Int {
	complement := slices.Clone(little)
	slices.Reverse(complement)
	n := new(big.Int).SetBytes(complement)
	if complement[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(complement))))
	}
	return n
}

// readInt reads an int of at most 60 bits; ok is false for any other value.
func readInt(data []byte) (n int64, ok bool) {
	switch {
	case len(data) == 5 && data[0] == 'i':
		return int64(int32(binary.LittleEndian.Uint32(data[1:]))), true //nolint:gosec // its bits
	case len(data) < 5 || len(data) > 5+2*4 || data[0] != 'l': // 4 digits have 60 bits
		return 0, false
	}
	for i := len(data) - 2; i >= 5; i -= 2 {
		n = n<<digitBits | int64(binary.LittleEndian.Uint16(data[i:]))
	}
	if data[4] >= 0x80 {
		n = -n
	}
	return n, true
}
