package builtin

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

const (
	// wordBlock is how many bytes are told apart at once.
	wordBlock = 64
	// wordsAtOnce is a good number of words to find before they are used: at least those of a
	// block, and one that began before it.
	wordsAtOnce = 96
)

// find replaces found by the first words of text from the offset from on, as many as it has
// room for, which must be wordsAtOnce or more, or a few less; none is left once there are none
// any more. It also returns the offset to go on from.
func (w *words) find(found [][]byte, text []byte, from int) ([][]byte, int) {
	found = found[:0]
	begin := -1 // of a word whose end was not seen yet
	at := from
	for ; at < len(text) && len(found) < cap(found)-wordBlock/2; at += wordBlock {
		in := w.inWords(text[at:])
		before := uint64(0)
		if begin >= 0 {
			before = 1
		}
		// Words begin or end where a bit is not the one before.
		edges := in ^ (in<<1 | before)
		if begin >= 0 && edges != 0 {
			found = append(found, text[begin:at+bits.TrailingZeros64(edges)])
			edges &= edges - 1
			begin = -1
		}
		for edges != 0 {
			begin = at + bits.TrailingZeros64(edges)
			if edges &= edges - 1; edges == 0 {
				break
			}
			found = append(found, text[begin:at+bits.TrailingZeros64(edges)])
			edges &= edges - 1
			begin = -1
		}
	}
	switch {
	case begin < 0:
		return found, min(at, len(text))
	case at >= len(text):
		return append(found, text[begin:]), len(text)
	}
	return found, begin
}

// inWords tells which of text's first 64 bytes belong to words, the first one's bit being the
// lowest. What text lacks of 64 bytes does not.
func (w *words) inWords(text []byte) (in uint64) {
	var last [wordBlock]byte
	block := &last
	if len(text) >= wordBlock {
		block = (*[wordBlock]byte)(text)
	} else {
		n := copy(last[:], text)
		copy(last[n:], bytes.Repeat([]byte{' '}, wordBlock-n))
	}
	const spread = 0x0102040810204080 // gathers the lowest bits of 8 bytes in the uppermost byte
	for i := 0; i < wordBlock; i += 8 {
		x := binary.LittleEndian.Uint64(block[i : i+8])
		// The sums below set a byte's highest bit if its other bits are a number as great as that
		// or greater, and never carry into the next byte.
		if w.letters {
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
	return in
}
