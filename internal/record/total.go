package record

import (
	"encoding/binary"
	"math/big"
	"math/bits"
	"strconv"
)

// Total is the combined value of a column: an integer of 128 bits in two's complement. It would
// take 2^64 integers of 64 bits, more records than any job has, to overflow it. The zero value is
// 0.
type Total struct {
	Hi int64
	Lo uint64
}

// MaxTotalLen is the length in bytes of the longest encoding of a Total.
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

// Float64 returns the float nearest to t, or a neighbour of the nearest.
func (t Total) Float64() float64 {
	if v, ok := t.Int64(); ok {
		return float64(v)
	}
	f, _ := t.Big().Float64()
	return f
}

// AppendText appends t in decimal digits, with a minus sign if t is negative.
func (t Total) AppendText(dst []byte) []byte {
	if v, ok := t.Int64(); ok {
		return strconv.AppendInt(dst, v, 10)
	}
	return t.Big().Append(dst, 10)
}

// AppendTotals appends the encoding of the totals; see Columns.
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

// readTotal decodes the Total at the start of data and returns the length of its encoding; 0 if
// there is none.
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
		lo |= bits << shift // 0 if shift is 64 or more
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
