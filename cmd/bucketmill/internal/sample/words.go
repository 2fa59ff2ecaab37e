package sample

import (
	"math/bits"
	"math/rand/v2"
)

// wordRoom is larger than any word, so that there is room for a space. To copy this fixed number of
// bytes is faster than to copy only the letters.
const wordRoom = 24

// words are distinct lower-case words, frequent ones first. As in natural languages, frequent words
// are short.
type words []word

// A word has 32 bytes, so that it is in one cache line: most of the time of making text is spent on
// cache misses of rare words.
type word struct {
	letters [wordRoom]byte // padded with at least one space
	length  uint64         // of the letters
}

// String returns the letters.
func (w *word) String() string { return string(w.letters[:w.length]) }

// putSpaced writes the word and a space to the start of dst, and returns the length of both. It
// overwrites wordRoom bytes of dst.
func (w *word) putSpaced(dst []byte) int {
	*(*[wordRoom]byte)(dst) = w.letters
	return int(w.length) + 1
}

var (
	onsets = []string{
		"", "b", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z",
		"d", "l", "m", "n", "r", "s", "t", "br", "gr", "pl", "st", "tr",
	}
	nuclei = []string{"a", "a", "a", "e", "e", "e", "e", "i", "i", "i", "o", "o", "o", "u", "u", "ai", "ea", "ou"}
	codas  = []string{"", "", "", "", "", "", "", "l", "m", "n", "n", "r"}
)

// newWords returns the first n words of one endless list, which does not depend on a seed.
func newWords(n int) words {
	made := make(words, 0, n)
	known := make(map[string]bool, n)
	random := rand.NewPCG(1, 2)
	pick := func(from []string) string { return from[below(random.Uint64(), uint64(len(from)))] }
	var letters []byte
	for len(made) < n {
		rank := uint(len(made) + 1)
		syllables := 1 + below(random.Uint64(), uint64(1+bits.Len(rank)/5))
		letters = letters[:0]
		for range syllables {
			letters = append(letters, pick(onsets)...)
			letters = append(letters, pick(nuclei)...)
			letters = append(letters, pick(codas)...)
		}
		if len(letters) >= wordRoom || known[string(letters)] {
			continue
		}
		known[string(letters)] = true
		w := word{length: uint64(len(letters))}
		for i := copy(w.letters[:], letters); i < wordRoom; i++ {
			w.letters[i] = ' '
		}
		made = append(made, w)
	}
	return made
}
