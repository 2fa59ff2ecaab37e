package builtin

import (
	"math/bits"

	"github.com/bucketmill/bucketmill/internal/wordscan"
)

// wordsAtOnce is a good number of words to find before they are used: at least those of a block, and
// one that began before it.
const wordsAtOnce = 96

// find replaces found by the first words of text from the offset from on, as many as it has
// room for, which must be wordsAtOnce or more, or a few less; none is left once there are none
// any more. It also returns the offset to go on from.
func (w *words) find(found [][]byte, text []byte, from int) ([][]byte, int) {
	found = found[:0]
	begin := -1 // of a word whose end was not seen yet
	at := from
	for ; at < len(text) && len(found) < cap(found)-wordscan.Block/2; at += wordscan.Block {
		in := wordscan.Mask(text[at:], w.letters)
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
