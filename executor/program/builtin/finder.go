package builtin

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// finder finds a text in other texts that mostly don't contain it. [bytes.Index] searches for the
// first byte of the text; finder searches for the byte that is probably the rarest. If this byte
// turns out to be frequent, finder searches for three bytes of the text at their distances, at 32
// places at once.
type finder struct {
	text []byte // not empty
	// rare are the offsets of three bytes of the text, the rarest first. For a shorter text, some
	// are equal.
	rare [3]int
}

// common are the bytes of which most texts consist, the rarer ones first. All others are rarer.
const common = "XQZJKVYWUGBFHPLDOMNCRSITAE|{}()<>;&+=zqjxkv%_97865432?'-10:,/.\"bpygfwmucldhrsnioat e\n"

func newFinder(text []byte) *finder {
	offsets := make([]int, len(text))
	for at := range text {
		offsets[at] = at
	}
	slices.SortStableFunc(offsets, func(x, y int) int {
		return cmp.Compare(bytes.IndexByte([]byte(common), text[x]), bytes.IndexByte([]byte(common), text[y]))
	})
	f := &finder{text: text}
	for i := range f.rare {
		f.rare[i] = offsets[min(i, len(offsets)-1)]
	}
	return f
}

// index returns where the text is first found in s, or -1.
func (f *finder) index(s []byte) int {
	end := len(s) - len(f.text) + 1 // the text begins before it
	// Finding one byte costs about as much as skipping this many.
	const price = 80
	spent := -4 * price
	rare := f.rare[0]
	for at := 0; at < end; at++ {
		skip := bytes.IndexByte(s[at+rare:end+rare], f.text[rare])
		if skip < 0 {
			return -1
		}
		at += skip
		if bytes.HasPrefix(s[at:], f.text) {
			return at
		}
		if spent += price - skip; spent > 0 {
			if i := f.indexAtOnce(s[at+1:]); i >= 0 {
				return at + 1 + i
			}
			return -1
		}
	}
	return -1
}

const (
	low7  = 0x7f7f7f7f7f7f7f7f
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// indexAtOnce is index by three bytes.
func (f *finder) indexAtOnce(s []byte) int {
	at := 0
	if len(s) >= len(f.text) {
		le := binary.LittleEndian
		p, q, r := s[f.rare[0]:], s[f.rare[1]:], s[f.rare[2]:]
		b, c, d := ones*uint64(f.text[f.rare[0]]), ones*uint64(f.text[f.rare[1]]), ones*uint64(f.text[f.rare[2]])
		for len(p) >= 32 && len(q) >= 32 && len(r) >= 32 {
			// A byte of these words is zero where all three bytes match.
			w := (le.Uint64(p) ^ b) | (le.Uint64(q) ^ c) | (le.Uint64(r) ^ d)
			x := (le.Uint64(p[8:]) ^ b) | (le.Uint64(q[8:]) ^ c) | (le.Uint64(r[8:]) ^ d)
			y := (le.Uint64(p[16:]) ^ b) | (le.Uint64(q[16:]) ^ c) | (le.Uint64(r[16:]) ^ d)
			z := (le.Uint64(p[24:]) ^ b) | (le.Uint64(q[24:]) ^ c) | (le.Uint64(r[24:]) ^ d)
			// This is not zero if one of these bytes is zero.
			if ((w-ones)&^w|(x-ones)&^x|(y-ones)&^y|(z-ones)&^z)&highs != 0 {
				for i, word := range [4]uint64{w, x, y, z} {
					for m := ^((word&low7 + low7) | word | low7); m != 0; m &= m - 1 {
						if place := at + 8*i + bits.TrailingZeros64(m)/8; bytes.HasPrefix(s[place:], f.text) {
							return place
						}
					}
				}
			}
			p, q, r = p[32:], q[32:], r[32:]
			at += 32
		}
	}
	if i := bytes.Index(s[at:], f.text); i >= 0 {
		return at + i
	}
	return -1
}
