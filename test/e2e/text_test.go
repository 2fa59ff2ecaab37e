package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

// vocabulary is the highest number of different words in a text.
const vocabulary = 5000

// word returns a word of the text. Some words are much more frequent than others, as in languages.
func word(zipf *rand.Zipf) string { return fmt.Sprintf("w%x", zipf.Uint64()) }

func newZipf() *rand.Zipf {
	return rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.2, 4, vocabulary-1)
}

// generate returns a text of about that many bytes, always the same text.
func generate(size int) []byte {
	zipf := newZipf()
	var text []byte
	for words := 1; len(text) < size; words++ {
		text = append(text, word(zipf)...)
		if words%12 == 0 {
			text = append(text, '\n')
		} else {
			text = append(text, ' ')
		}
	}
	return append(text, '\n')
}

// evenLines returns a text of lines with exactly that many bytes each.
func evenLines(lines, size int) []byte {
	zipf := newZipf()
	var text []byte
	for range lines {
		line := make([]byte, 0, size)
		for w := word(zipf); len(line)+len(w)+1 < size; w = word(zipf) {
			line = append(append(line, w...), ' ')
		}
		line = append(line, bytes.Repeat([]byte(" "), size-1-len(line))...)
		text = append(append(text, line...), '\n')
	}
	return text
}

// countWords is the oracle.
func countWords(text []byte) map[string]int {
	counts := map[string]int{}
	for word := range bytes.FieldsSeq(text) {
		counts[string(word)]++
	}
	return counts
}

// parseCounts reads lines of word, tab, count. No word may come twice.
func parseCounts(t *testing.T, results []byte) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for line := range bytes.Lines(results) {
		key, value, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte("\t"))
		n, err := strconv.Atoi(string(value))
		if !ok || err != nil {
			t.Fatalf("a line of the results is %q", line)
		}
		if _, twice := counts[string(key)]; twice {
			t.Fatalf("the results have %q twice", key)
		}
		counts[string(key)] = n
	}
	return counts
}
