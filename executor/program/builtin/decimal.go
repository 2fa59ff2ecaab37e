package builtin

import (
	"errors"
	"math"
	"strconv"

	"github.com/bucketmill/bucketmill/internal/record"
)

// microDigits is the number of decimals in which amounts are counted.
const microDigits = 6

var errDecimal = errors.New("not a number with at most 6 decimals and 12 digits before them")

// parseMicros returns a decimal number such as -12.50 as exact millionths.
func parseMicros(s []byte) (int64, error) {
	negative := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		negative, s = s[0] == '-', s[1:]
	}
	var value int64
	digits, decimals := 0, -1 // -1: before the point
	for _, c := range s {
		switch {
		case c == '.' && decimals < 0:
			decimals = 0
			continue
		case c < '0' || c > '9':
			return 0, errDecimal
		}
		digits++
		if decimals >= microDigits {
			if c != '0' {
				return 0, errDecimal
			}
			continue
		}
		if decimals >= 0 {
			decimals++
		}
		if value > (math.MaxInt64-9)/10 {
			return 0, errDecimal
		}
		value = value*10 + int64(c-'0')
	}
	if digits == 0 {
		return 0, errDecimal
	}
	for d := max(decimals, 0); d < microDigits; d++ {
		if value > (math.MaxInt64-9)/10 {
			return 0, errDecimal
		}
		value *= 10
	}
	if negative {
		value = -value
	}
	return value, nil
}

// appendMicros appends a number of millionths as a decimal number with at least two decimals.
func appendMicros(dst []byte, value record.Total) []byte {
	v, ok := value.Int64()
	if !ok {
		return appendDecimal(dst, value.AppendText(nil))
	}
	magnitude := uint64(v)
	if v < 0 {
		dst = append(dst, '-')
		magnitude = -magnitude
	}
	dst = append(strconv.AppendUint(dst, magnitude/1e6, 10), '.')
	fraction := magnitude % 1e6
	least := len(dst) + 2
	for unit := uint64(1e5); unit > 0; unit /= 10 {
		dst = append(dst, byte('0'+fraction/unit%10))
	}
	return trimZeros(dst, least)
}

// appendDecimal is appendMicros for a number of more than 18 digits, given as text.
func appendDecimal(dst, digits []byte) []byte {
	point := len(digits) - microDigits
	dst = append(append(dst, digits[:point]...), '.')
	least := len(dst) + 2
	return trimZeros(append(dst, digits[point:]...), least)
}

func trimZeros(dst []byte, least int) []byte {
	for len(dst) > least && dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}
