package record

import "encoding/binary"

// Op says how to combine two numbers of a column. Every Op is associative and commutative, so a
// combiner may apply it anywhere and in any order.
type Op uint8

const (
	Sum Op = iota + 1
	Min
	Max
)

// Columns describes values that are a fixed number of integers, and how the values of one key are
// combined, column by column: a counter is Columns{Sum}. Mappers emit integers of 64 bits. Their
// sums are Totals, which may be larger and never overflow.
//
// Such a value is encoded as its integers in a row, as zig-zag varints: of up to 10 bytes, like
// those of encoding/binary, if the integer fits into 64 bits, else of up to 19.
type Columns []Op

// AppendInts appends the encoded value to dst.
func AppendInts(dst []byte, ints ...int64) []byte {
	for _, v := range ints {
		dst = binary.AppendVarint(dst, v)
	}
	return dst
}

// Decode reads value into ints, which must have the length of c. It fails with ErrCorrupt if value
// is not exactly that many integers of 64 bits, as a mapper emits them.
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

// DecodeTotals is Decode for values that may have been combined.
func (c Columns) DecodeTotals(totals []Total, value []byte) error {
	for i := range c {
		if len(value) > 0 && value[0] < 0x80 { // one byte, the common case
			totals[i] = TotalOf(int64(value[0]>>1) ^ -int64(value[0]&1))
			value = value[1:]
			continue
		}
		v, n := readTotal(value)
		if n == 0 {
			return ErrCorrupt
		}
		totals[i], value = v, value[n:]
	}
	if len(value) != 0 {
		return ErrCorrupt
	}
	return nil
}

// Merge combines from into into, column by column. Both must have the length of c. If a sum would
// overflow, Merge returns false and leaves all sums unchanged.
func (c Columns) Merge(into, from []int64) bool {
	for i, op := range c {
		switch op {
		case Sum:
			sum := into[i] + from[i]
			if (into[i]^sum)&(from[i]^sum) < 0 {
				c.subtract(into[:i], from)
				return false
			}
			into[i] = sum
		case Min:
			into[i] = min(into[i], from[i])
		case Max:
			into[i] = max(into[i], from[i])
		}
	}
	return true
}

// subtract undoes the sums of a Merge. Minimums and maximums may stay: merging them again changes
// nothing.
func (c Columns) subtract(into, from []int64) {
	for i := range into {
		if c[i] == Sum {
			into[i] -= from[i]
		}
	}
}

// MergeTotals is Merge for totals, which do not overflow.
func (c Columns) MergeTotals(into, from []Total) {
	for i, op := range c {
		switch op {
		case Sum:
			into[i] = into[i].Add(from[i])
		case Min:
			if from[i].Less(into[i]) {
				into[i] = from[i]
			}
		case Max:
			if into[i].Less(from[i]) {
				into[i] = from[i]
			}
		}
	}
}
