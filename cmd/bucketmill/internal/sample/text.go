package sample

import (
	"fmt"
	"slices"
)

// Vocabularies of [NewText], in words.
const (
	DefaultVocabulary = 200_000
	MaxVocabulary     = 1_000_000
)

const (
	textLines    = 2048 // of a block
	minLineWords = 10
	maxLineWords = 15
)

// Text is a source of lines of 10 to 15 lower-case words with spaces between them. Words are drawn
// by Zipf's law: the most frequent of 200,000 words is a thirteenth of the text.
type Text struct {
	seed    uint64
	words   words
	chooser chooser
}

// NewText returns text of a number of distinct words, at most [MaxVocabulary].
func NewText(seed uint64, vocabulary int) (*Text, error) {
	if vocabulary < 1 || vocabulary > MaxVocabulary {
		return nil, fmt.Errorf("a vocabulary of %d words is not valid: use 1 to %d", vocabulary, MaxVocabulary)
	}
	return &Text{seed: seed, words: newWords(vocabulary), chooser: newZipf(vocabulary)}, nil
}

// Header is empty.
func (t *Text) Header() []byte { return nil }

// AppendBlock appends 2048 lines.
func (t *Text) AppendBlock(dst []byte, n uint64) []byte {
	random := blockRand(t.seed, n)
	var line [maxLineWords]int
	for range textLines {
		// All draws of a line come first, so that their cache misses overlap.
		drawn := line[:minLineWords+below(random.Uint64(), maxLineWords-minLineWords+1)]
		for i := range drawn {
			drawn[i] = t.chooser.choose(random.Uint64())
		}
		dst = slices.Grow(dst, maxLineWords*wordRoom)
		end := len(dst)
		for _, word := range drawn {
			end += t.words[word].putSpaced(dst[end:cap(dst)])
		}
		dst = dst[:end]
		dst[end-1] = '\n'
	}
	return dst
}
