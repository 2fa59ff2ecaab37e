package sample

import (
	"bytes"
	"regexp"
	"testing"
)

func TestWordsAreDistinctAndOfNaturalLength(t *testing.T) {
	words := newWords(DefaultVocabulary)
	wanted := regexp.MustCompile(`^[a-z]+$`)
	known := make(map[string]bool)
	letters := 0
	for i := range words {
		word := words[i].String()
		if known[word] || !wanted.MatchString(word) {
			t.Fatalf("word %d, %q, is a duplicate or not a word", i, word)
		}
		known[word] = true
		letters += len(word)
	}
	if mean := float64(letters) / DefaultVocabulary; mean < 7 || mean > 9 {
		t.Errorf("%.1f letters in a word of the vocabulary", mean)
	}
}

func TestTextLooksNatural(t *testing.T) {
	text, err := NewText(1, DefaultVocabulary)
	if err != nil {
		t.Fatal(err)
	}
	data := generate(t, text, 4<<20, 1)[0]
	counts := make(map[string]int)
	for line := range bytes.Lines(data) {
		words := bytes.Split(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
		if len(words) < minLineWords || len(words) > maxLineWords {
			t.Fatalf("%d words in %q", len(words), line)
		}
		for _, word := range words {
			counts[string(word)]++
		}
	}
	total, top := 0, 0
	for _, n := range counts {
		total += n
		top = max(top, n)
	}
	if length := float64(len(data))/float64(total) - 1; length < 4.5 || length > 6 {
		t.Errorf("%.1f letters in a word of the text", length)
	}
	if share := float64(top) / float64(total); share < 0.07 || share > 0.085 {
		t.Errorf("the most frequent word is %.3f of the text", share)
	}
	if len(counts) < 50_000 {
		t.Errorf("%d different words among %d", len(counts), total)
	}
}

func TestVocabularyBoundsTheText(t *testing.T) {
	text, err := NewText(1, 3)
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for _, word := range bytes.Fields(text.AppendBlock(nil, 0)) {
		counts[string(word)]++
	}
	if len(counts) != 3 {
		t.Errorf("words %v", counts)
	}
}
