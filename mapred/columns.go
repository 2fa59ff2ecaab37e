package mapred

import "encoding/binary"

// An Op says how two numbers of a column become one. All are associative and commutative,
// so that a combiner may apply them anywhere, in any order.
type Op uint8

const (
	Sum Op = iota + 1
	Min
	Max
)

// Columns describes values that are a fixed number of 64-bit integers, and how values of
// one key are combined, column by column: a counter is Columns{Sum}. Sums wrap around on
// overflow, as Go's integers do.
//
// Such a value is encoded as its integers one after the other, as zig-zag varints.
type Columns []Op

// AppendInts appends the encoded value to dst.
func AppendInts(dst []byte, ints ...int64) []byte {
	for _, v := range ints {
		dst = binary.AppendVarint(dst, v)
	}
	return dst
}

// Decode reads value into ints, which must have the length of c. It fails with ErrCorrupt
// when value is not exactly that many integers.
func (c Columns) Decode(ints []int64, value []byte) error {
	for i := range c {
		if len(value) > 0 && value[0] < 0x80 { // one byte, the common case
			ints[i] = int64(value[0]>>1) ^ -int64(value[0]&1)
			value = value[1:]
			continue
		}
		v, n := binary.Varint(value)
		if n <= 0 {
			return ErrCorrupt
		}
		ints[i], value = v, value[n:]
	}
	if len(value) != 0 {
		return ErrCorrupt
	}
	return nil
}

// Merge combines from into into, column by column. Both must have the length of c.
func (c Columns) Merge(into, from []int64) {
	for i, op := range c {
		switch op {
		case Sum:
			into[i] += from[i]
		case Min:
			into[i] = min(into[i], from[i])
		case Max:
			into[i] = max(into[i], from[i])
		}
	}
}
