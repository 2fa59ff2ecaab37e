package python

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"math/bits"
	"slices"
)

// errKey says that a key has no order.
var errKey = errors.New("a key must be None, a bool, int, float, str or bytes, or a tuple of these; " +
	"this one is or contains a dict, or is nested too deep")

// The first byte of an encoded key that is a str, and of one that is a bytes. The content follows.
const (
	TextKey  = 0x30
	bytesKey = 0x20
)

// The types of numbers.
const typeBool, typeInt, typeFloat = 1, 2, 3

// A float has exactBits bits of precision, and is smaller than 2 to the power of floatBits.
const exactBits, floatBits = 53, 1024

// keyEncoder encodes marshalled keys as bytes that sort as the keys do.
// runner/bucketmill_runner/keys.py describes the format, and encodes keys as the same bytes.
type keyEncoder struct {
	dst   []byte
	types []byte // types of the numbers, which go to the end
}

// encode appends the key to dst.
func (e *keyEncoder) encode(dst, key []byte) ([]byte, error) {
	switch {
	case len(key) == 0: // a raw value
		return dst, errKey
	case key[0] == 'u':
		return append(append(dst, TextKey), key[5:]...), nil
	case key[0] == 's':
		return append(append(dst, bytesKey), key[5:]...), nil
	}
	e.dst, e.types = dst, e.types[:0]
	if _, err := e.append(key); err != nil {
		return dst, err
	}
	return append(e.dst, e.types...), nil
}

// append appends the first value of data in its form within a tuple, and returns what follows it.
func (e *keyEncoder) append(data []byte) (rest []byte, err error) {
	switch data[0] {
	case 'N':
		e.dst = append(e.dst, 0x08)
		return data[1:], nil
	case 'T', 'F':
		one := uint64(0)
		if data[0] == 'T' {
			one = 1
		}
		e.number(typeBool)
		e.small(one, false)
		return data[1:], nil
	case 'g':
		e.number(typeFloat)
		e.float(math.Float64frombits(binary.LittleEndian.Uint64(data[1:])))
		return data[9:], nil
	case 'i':
		e.number(typeInt)
		n := int64(int32(binary.LittleEndian.Uint32(data[1:]))) //nolint:gosec // its bits
		e.small(uint64(max(n, -n)), n < 0)                      //nolint:gosec // not negative
		return data[5:], nil
	case 'l':
		e.number(typeInt)
		return e.long(data), nil
	case 'u', 's':
		tag := byte(TextKey)
		if data[0] == 's' {
			tag = bytesKey
		}
		end := 5 + int(binary.LittleEndian.Uint32(data[1:]))
		e.ended(tag, data[5:end])
		return data[end:], nil
	case '(', '[':
		n := binary.LittleEndian.Uint32(data[1:])
		e.dst = append(e.dst, 0x40)
		for rest = data[5:]; n > 0; n-- {
			if rest, err = e.append(rest); err != nil {
				return nil, err
			}
		}
		e.dst = append(e.dst, 0)
		return rest, nil
	}
	return nil, errKey
}

// ended appends bytes and a mark of their end.
func (e *keyEncoder) ended(tag byte, data []byte) {
	e.dst = append(e.dst, tag)
	for {
		zero := bytes.IndexByte(data, 0)
		if zero < 0 {
			break
		}
		e.dst = append(append(e.dst, data[:zero+1]...), 0xff)
		data = data[zero+1:]
	}
	e.dst = append(append(e.dst, data...), 0)
}

func (e *keyEncoder) number(kind byte) {
	e.dst, e.types = append(e.dst, 0x10), append(e.types, kind)
}

func (e *keyEncoder) float(x float64) {
	if x != x {
		e.dst = append(e.dst, 0xff, 0xf8, 0, 0, 0, 0, 0, 0, 0)
		return
	}
	begin := len(e.dst)
	e.near(math.Abs(x))
	e.dst = append(e.dst, 0)
	e.negate(begin, x < 0)
}

// near appends a magnitude as a float.
func (e *keyEncoder) near(x float64) {
	e.dst = binary.BigEndian.AppendUint64(e.dst, math.Float64bits(x)|1<<63)
}

// negate complements the bytes appended since begin, if the number is negative.
func (e *keyEncoder) negate(begin int, negative bool) {
	if !negative {
		return
	}
	for i := begin; i < len(e.dst); i++ {
		e.dst[i] = ^e.dst[i]
	}
}

// small appends an int, given as its magnitude and sign.
func (e *keyEncoder) small(magnitude uint64, negative bool) {
	begin := len(e.dst)
	shift := max(bits.Len64(magnitude)-exactBits, 0)
	near := magnitude >> shift << shift
	e.near(float64(near))
	var missing [8]byte
	binary.BigEndian.PutUint64(missing[:], magnitude-near)
	e.missing(missing[:])
	e.negate(begin, negative)
}

// missing appends the difference between an int and its float, big endian.
func (e *keyEncoder) missing(n []byte) {
	n = bytes.TrimLeft(n, "\x00")
	if len(n) <= 0xf0 {
		e.dst = append(e.dst, byte(len(n)))
	} else {
		e.dst = binary.BigEndian.AppendUint32(append(e.dst, 0xf1), uint32(len(n))) //nolint:gosec // no frame is that long
	}
	e.dst = append(e.dst, n...)
}

// long appends an int of any size, and returns what follows it.
func (e *keyEncoder) long(data []byte) (rest []byte) {
	count := int32(binary.LittleEndian.Uint32(data[1:])) //nolint:gosec // its bits
	negative := count < 0
	digits := data[5 : 5+2*int(max(count, -count))]
	rest = data[5+len(digits):]
	if len(digits) <= 2*4 {
		n, _ := readInt(data[:5+len(digits)])
		e.small(uint64(max(n, -n)), negative) //nolint:gosec // not negative
		return rest
	}
	packed := make([]byte, 0, len(digits))
	var acc uint32
	var have int
	for i := 0; i < len(digits); i += 2 {
		acc |= uint32(binary.LittleEndian.Uint16(digits[i:])) << have
		for have += digitBits; have >= 8; have -= 8 {
			packed = append(packed, byte(acc))
			acc >>= 8
		}
	}
	packed = append(packed, byte(acc))
	slices.Reverse(packed)
	magnitude := new(big.Int).SetBytes(packed)
	begin := len(e.dst)
	near := new(big.Int)
	if magnitude.BitLen() > floatBits {
		near.Sub(near.Lsh(big.NewInt(1), floatBits), new(big.Int).Lsh(big.NewInt(1), floatBits-exactBits))
	} else if shift := magnitude.BitLen() - exactBits; shift > 0 {
		near.Lsh(near.Rsh(magnitude, uint(shift)), uint(shift))
	} else {
		near.Set(magnitude)
	}
	f, _ := new(big.Float).SetInt(near).Float64()
	e.near(f)
	e.missing(magnitude.Sub(magnitude, near).Bytes())
	e.negate(begin, negative)
	return rest
}
