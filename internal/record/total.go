package record

import (
	"encoding/binary"
	"math/big"
	"math/bits"
	"strconv"
)

// A Total is what a column comes to: an integer of 128 bits in two's complement. It would take
// 2^64 integers of 64 bits, more records than any job has, to overflow it. The zero value is 0.
type Total struct {
	Hi int64
	Lo uint64
}

// MaxTotalLen is the longest encoding of a Total, in bytes.
const MaxTotalLen = 19

// TotalOf returns v as a Total.
func TotalOf(v int64) Total { return Total{Hi: v >> 63, Lo: uint64(v)} }

// Add returns t + u.
func (t Total) Add(u Total) Total {
	lo, carry := bits.Add64(t.Lo, u.Lo, 0)
	return Total{Hi: t.Hi + u.Hi + int64(carry), Lo: lo}
}

// Less reports whether t is less than u.
func (t Total) Less(u Total) bool { return t.Hi < u.Hi || t.Hi == u.Hi && t.Lo < u.Lo }

// Int64 returns t, and whether it fits into 64 bits.
func (t Total) Int64() (v int64, ok bool) { return int64(t.Lo), t.Hi == int64(t.Lo)>>63 }

// Big returns t as an integer of any size.
func (t Total) Big() *big.Int {
	n := new(big.Int).Lsh(big.NewInt(t.Hi), 64)
	return n.Add(n, new(big.Int).SetUint64(t.Lo))
}

// Float64 returns the float that is nearest to t, or next to the nearest.
func (t Total) Float64() float64 {
	if v, ok := t.Int64(); ok {
		return float64(v)
	}
	f, _ := t.Big().Float64()
	return f
}

// AppendText appends t in decimal digits, after a minus sign if it is negative.
func (t Total) AppendText(dst []byte) []byte {
	if v, ok := t.Int64(); ok {
		return strconv.AppendInt(dst, v, 10)
	}
	return t.Big().Append(dst, 10)
}

// AppendTotals appends the encoded value that the totals are, see Columns.
func AppendTotals(dst []byte, totals []Total) []byte {
	for _, t := range totals {
		if v, ok := t.Int64(); ok {
			dst = binary.AppendVarint(dst, v)
			continue
		}
		sign := uint64(t.Hi >> 63)
		hi, lo := uint64(t.Hi)<<1|t.Lo>>63, t.Lo<<1
		hi, lo = hi^sign, lo^sign
		for hi > 0 || lo >= 0x80 {
			dst = append(dst, byte(lo)|0x80)
			hi, lo = hi>>7, lo>>7|hi<<57
		}
		dst = append(dst, byte(lo))
	}
	return dst
}

// readTotal decodes the Total that data begins with, and returns the length of its encoding; 0 if
// data begins with none.
func readTotal(data []byte) (Total, int) {
	v, n := binary.Varint(data)
	if n > 0 {
		return TotalOf(v), n
	}
	if n == 0 {
		return Total{}, 0 // cut short
	}
	var hi, lo uint64
	for i, b := range data[:min(len(data), MaxTotalLen)] {
		bits, shift := uint64(b&0x7f), 7*uint(i)
		if i == MaxTotalLen-1 && b > 1<<(128-7*(MaxTotalLen-1))-1 {
			return Total{}, 0
		}
		lo |= bits << shift // nothing from 64 bits on
		if shift >= 64 {
			hi |= bits << (shift - 64)
		} else {
			hi |= bits >> (64 - shift)
		}
		if b < 0x80 {
			sign := -(lo & 1)
			return Total{Hi: int64(hi>>1 ^ sign), Lo: (lo>>1 | hi<<63) ^ sign}, i + 1
		}
	}
	return Total{}, 0
}
