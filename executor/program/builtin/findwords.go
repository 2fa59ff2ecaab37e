package builtin

import (
	"math/bits"

	"github.com/bucketmill/bucketmill/internal/wordscan"
)

// wordsAtOnce is a good number of words to find before they are used: at least those of a block,
// and one that began before it.
const wordsAtOnce = 96

// find replaces the content of found by the first words of text at or after the offset from, and
// returns it with the offset for the next call. It finds as many words as found has room for, or a
// few less; the capacity must be at least wordsAtOnce. It finds no words only if there are none
// left.
func (w *words) find(found [][]byte, text []byte, from int) ([][]byte, int) {
	found = found[:0]
	begin := -1 // of a word whose end is not found yet
	at := from
	for ; at < len(text) && len(found) < cap(found)-wordscan.Block/2; at += wordscan.Block {
		in := wordscan.Mask(text[at:], w.letters)
		before := uint64(0)
		if begin >= 0 {
			before = 1
		}
		// Words begin or end where a bit differs from the one before.
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
