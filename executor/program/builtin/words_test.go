package builtin

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/internal/record"
)

// oddSizes cut oddText into batches at many places.
var oddSizes = []int{0, 1, 7, 30, 60, 1 << 20}

func naiveWords(text string, letters, lower bool) []string {
	isSpace := func(c byte) bool { return strings.IndexByte(" \t\n\v\f\r", c) >= 0 }
	var words []string
	var word []byte
	for i := range len(text) + 1 {
		in := i < len(text) && !isSpace(text[i])
		if letters {
			in = in && (text[i] >= 'a' && text[i] <= 'z' || text[i] >= 'A' && text[i] <= 'Z')
		}
		switch {
		case in:
			word = append(word, text[i])
		case len(word) > 0:
			if s := string(word); lower && utf8.ValidString(s) {
				words = append(words, strings.ToLower(s))
			} else {
				words = append(words, s)
			}
			word = nil
		}
	}
	return words
}

func TestWordCount(t *testing.T) {
	for _, letters := range []bool{false, true} {
		for _, lower := range []bool{false, true} {
			p := open(t, "wordcount", "letters", fmt.Sprint(letters), "lower", fmt.Sprint(lower))
			counts := map[string]int{}
			for _, w := range naiveWords(programtest.OddText, letters, lower) {
				counts[w]++
			}
			var want []string
			for _, w := range slices.Sorted(maps.Keys(counts)) {
				want = append(want, fmt.Sprintf("%s\t%d", w, counts[w]))
			}
			for _, size := range oddSizes {
				if got := programtest.Run(t, p, programtest.Lines("f", programtest.OddText, size)); !slices.Equal(got, want) {
					t.Errorf("letters %v, lower %v, batches of %d: want %.300q, have %.300q", letters, lower, size, want, got)
				}
			}
		}
	}
}

// TestFindWords finds words in texts in which all pairs of bytes occur, and words are as long as a
// block or longer.
func TestFindWords(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for _, letters := range []bool{false, true} {
		w := &words{letters: letters}
		for range 3000 {
			text := make([]byte, rng.IntN(700))
			space := 1 + rng.IntN(90)
			for i := range text {
				if text[i] = byte(rng.IntN(256)); rng.IntN(space) == 0 {
					text[i] = " \t\n\v\f\r"[rng.IntN(6)]
				} else if space > 4 {
					text[i] = byte('A' + rng.IntN(60))
				}
			}
			var got []string
			room := make([][]byte, wordsAtOnce)
			for found, at := w.find(room, text, 0); len(found) > 0; found, at = w.find(found, text, at) {
				for _, word := range found {
					got = append(got, string(word))
				}
			}
			if want := naiveWords(string(text), letters, false); !slices.Equal(got, want) {
				t.Fatalf("letters %v, in %q: want %q, have %q", letters, text, want, got)
			}
		}
	}
}

func TestWordCountReadsOtherFramings(t *testing.T) {
	encoded := record.Append(nil, []byte("8 bytes!"), []byte("a b"))
	encoded = record.Append(encoded, []byte("8 bytes!"), []byte("a"))
	for name, b := range map[string]record.Batch{
		"fixed":   {Framing: record.Fixed, RecordLen: 4, Data: []byte("a b a   ")},
		"whole":   {Framing: record.Whole, Data: []byte("a\nb a")},
		"encoded": {Framing: record.Encoded, Data: encoded},
	} {
		if got, want := programtest.Run(t, open(t, "wordcount"), []record.Batch{b}), []string{"a\t2", "b\t1"}; !slices.Equal(got, want) {
			t.Errorf("%s: want %q, have %q", name, want, got)
		}
	}
}

func TestLowerCaseKeepsWhatIsNotUTF8(t *testing.T) {
	w := &words{lower: true}
	var scratch []byte
	for in, want := range map[string]string{
		"ABC": "abc", "Ünï\xffCÖDE\xc3": "ünï\xffcöde\xc3", "ẞ": "ß", "\x80A": "\x80a", "": "",
	} {
		if got := w.fold(&scratch, []byte(in)); string(got) != want {
			t.Errorf("%q: want %q, have %q", in, want, got)
		}
	}
}

func TestMapOnlyEmitsText(t *testing.T) {
	a := programtest.Attempt(t)
	a.MapOnly = true
	got, err := programtest.MapAll(t, open(t, "wordcount"), a, programtest.Lines("f", "b a", 9))
	if want := []programtest.KV{{"b", "1"}, {"a", "1"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("want %q, have %q, %v", want, got, err)
	}
}

func TestIndex(t *testing.T) {
	batches := slices.Concat(
		programtest.Lines("file:///data/b c.txt", programtest.OddText, 20),
		programtest.Lines("s3://bucket/a/x.txt", "the the only\n", 9),
		programtest.Lines("file:///data/b c.txt", "only here\n", 9))
	for names, files := range map[string][2]string{
		"url":  {"/data/b c.txt", "s3://bucket/a/x.txt"},
		"base": {"b c.txt", "x.txt"},
	} {
		got := programtest.Run(t, open(t, "index", "names", names), batches)
		for _, want := range []string{"the\t" + files[0] + "," + files[1], "only\t" + files[0] + "," + files[1], "fox\t" + files[0]} {
			if !slices.Contains(got, want) {
				t.Errorf("names=%s: no %q in %.300q", names, want, got)
			}
		}
		if !slices.IsSorted(got) || len(slices.Compact(got)) != len(got) {
			t.Errorf("names=%s: keys are not sorted or repeat: %.300q", names, got)
		}
	}
}

func TestSortAndDistinct(t *testing.T) {
	text := programtest.OddText + "\nthe\nthe\n"
	want := slices.Sorted(slices.Values(programtest.RecordsOf(text)))
	for _, size := range oddSizes {
		if got := programtest.Run(t, open(t, "sort"), programtest.Lines("f", text, size)); !slices.Equal(got, want) {
			t.Errorf("sort, batches of %d: want %.300q, have %.300q", size, want, got)
		}
		if got := programtest.Run(t, open(t, "distinct"), programtest.Lines("f", text, size)); !slices.Equal(got, slices.Compact(slices.Clone(want))) {
			t.Errorf("distinct, batches of %d: have %.300q", size, got)
		}
	}
}
