// Package wordscan finds the words of a text many bytes at a time. Builtins and programs in Go use
// it.
package wordscan

import (
	"encoding/binary"
	"iter"
	"math/bits"
)

// Block is how many bytes are told apart at once.
const Block = 64

const (
	low7  = 0x7f7f7f7f7f7f7f7f
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// Mask tells which of text's first 64 bytes belong to words, the first one's bit being the lowest.
// Words consist of all bytes except space, \t, \n, \v, \f and \r, or only of ASCII letters. What
// text lacks of 64 bytes does not belong to words.
func Mask(text []byte, letters bool) (in uint64) {
	var last [Block]byte
	block, whole := &last, ^uint64(0)
	if len(text) >= Block {
		block = (*[Block]byte)(text)
	} else {
		whole = 1<<copy(last[:], text) - 1
	}
	const spread = 0x0102040810204080 // gathers the lowest bits of 8 bytes in the uppermost byte
	for i := 0; i < Block; i += 8 {
		x := binary.LittleEndian.Uint64(block[i : i+8])
		// The sums below set a byte's highest bit if its other bits are a number as great as that
		// or greater, and never carry into the next byte.
		if letters {
			y := (x | ones*0x20) & low7
			x = (y + ones*(0x80-'a')) &^ (y + ones*(0x80-'z'-1)) &^ x
		} else {
			y := x & low7
			control := (y + ones*(0x80-'\t')) &^ (y + ones*(0x80-'\r'-1))
			other := y ^ ones*' ' + low7
			x = x | ^(control | ^other)
		}
		in |= (x & highs >> 7 * spread >> 56) << i
	}
	return in & whole
}

// All yields the words of text, which are separated by ASCII white space. They alias text.
func All(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) { all(text, yield) }
}

func all(text []byte, yield func([]byte) bool) {
	begin := -1 // of a word whose end was not seen yet
	for at := 0; at < len(text); at += Block {
		var in uint64
		if from := len(text) - Block; from < 0 || at <= from {
			in = Mask(text[at:], false)
		} else { // the last block is a whole one that begins earlier
			in = Mask(text[from:], false) >> (at - from)
		}
		before := uint64(0)
		if begin >= 0 {
			before = 1
		}
		// Words begin or end where a bit is not the one before.
		for edges := in ^ (in<<1 | before); edges != 0; edges &= edges - 1 {
			edge := at + bits.TrailingZeros64(edges)
			if begin < 0 {
				begin = edge
				continue
			}
			if !yield(text[begin:edge]) {
				return
			}
			begin = -1
		}
	}
	if begin >= 0 {
		yield(text[begin:])
	}
}
