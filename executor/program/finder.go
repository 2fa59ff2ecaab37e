package program

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// finder finds a text in others that mostly don't have it. Where [bytes.Index] looks for the first
// byte of the text, finder looks for the one that ought to be rarest; where that turns out to be
// frequent all the same, it looks for two bytes at their distance, at 32 places at once.
type finder struct {
	text []byte // not empty
	// rare and other are offsets of two bytes of the text. They are the same only if it has
	// one byte.
	rare, other int
}

// common has the bytes that most texts are made of, the rarer first. All others are rarer still.
const common = "XQZJKVYWUGBFHPLDOMNCRSITAE|{}()<>;&+=zqjxkv%_97865432?'-10:,/.\"bpygfwmucldhrsnioat e\n"

func newFinder(text []byte) *finder {
	f := &finder{text: text}
	rank := func(at int) int { return bytes.IndexByte([]byte(common), text[at]) }
	for at := range text {
		if rank(at) < rank(f.rare) {
			f.rare = at
		}
	}
	f.other = -1
	for at := range text {
		if at != f.rare && (f.other < 0 || rank(at) < rank(f.other)) {
			f.other = at
		}
	}
	if f.other < 0 {
		f.other = f.rare
	}
	return f
}

// index returns where the text is first found in s, or -1.
func (f *finder) index(s []byte) int {
	end := len(s) - len(f.text) + 1 // the text starts before
	// To find a byte costs about as much as to look at 64 places.
	const price = 64
	spent := -4 * price
	for at := 0; at < end; at++ {
		skip := bytes.IndexByte(s[at+f.rare:end+f.rare], f.text[f.rare])
		if skip < 0 {
			return -1
		}
		at += skip
		if bytes.HasPrefix(s[at:], f.text) {
			return at
		}
		if spent += price - skip; spent > 0 {
			if i := f.indexPair(s[at+1:]); i >= 0 {
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

// indexPair is index by two bytes.
func (f *finder) indexPair(s []byte) int {
	rare, other := ones*uint64(f.text[f.rare]), ones*uint64(f.text[f.other])
	at := 0
	if len(s) >= len(f.text) {
		le := binary.LittleEndian
		p, q := s[f.rare:], s[f.other:]
		for len(p) >= 32 && len(q) >= 32 {
			// A byte of these is zero where both bytes are as they should be.
			w := le.Uint64(p) ^ rare | le.Uint64(q) ^ other
			x := le.Uint64(p[8:]) ^ rare | le.Uint64(q[8:]) ^ other
			y := le.Uint64(p[16:]) ^ rare | le.Uint64(q[16:]) ^ other
			z := le.Uint64(p[24:]) ^ rare | le.Uint64(q[24:]) ^ other
			// Not zero if one of these bytes is; of the lowest such byte it is exact.
			if ((w-ones)&^w|(x-ones)&^x|(y-ones)&^y|(z-ones)&^z)&highs != 0 {
				for i, word := range [4]uint64{w, x, y, z} {
					for m := ^((word&low7 + low7) | word | low7); m != 0; m &= m - 1 {
						if place := at + 8*i + bits.TrailingZeros64(m)/8; bytes.HasPrefix(s[place:], f.text) {
							return place
						}
					}
				}
			}
			p, q = p[32:], q[32:]
			at += 32
		}
	}
	if i := bytes.Index(s[at:], f.text); i >= 0 {
		return at + i
	}
	return -1
}
