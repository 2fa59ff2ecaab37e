package wordscan

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Texts of every length, with what separates words and what nearly does.
func TestAll(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const from = "a \t\n\v\f\r\x00\x08\x0e\x1f!\x7f\x80\x85\x89\xa0\xff"
	space := func(r rune) bool { return strings.ContainsRune(" \t\n\v\f\r", r) }
	for n := range 400 {
		for range 20 {
			text := make([]byte, n)
			for i := range text {
				text[i] = from[r.IntN(len(from))]
				if i > 0 && r.IntN(8) > 0 { // words and gaps of some length
					text[i] = text[i-1]
				}
			}
			want := bytes.FieldsFunc(latin(text), space)
			var got [][]byte
			for word := range All(text) {
				got = append(got, latin(word))
			}
			if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Fatalf("%q: got %q, want %q", text, got, want)
			}
		}
	}
}

// latin makes a rune of each byte.
func latin(text []byte) []byte {
	var out []byte
	for _, c := range text {
		out = append(out, string(rune(c))...)
	}
	return out
}

func TestAllStops(t *testing.T) {
	for _, text := range []string{"a b", "a", strings.Repeat("x ", 100)} {
		n := 0
		for range All([]byte(text)) {
			n++
			break
		}
		if n != 1 {
			t.Errorf("%q: %d words", text, n)
		}
	}
}

func TestMaskOfLetters(t *testing.T) {
	for c := range 256 {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		for _, text := range [][]byte{{byte(c)}, bytes.Repeat([]byte{byte(c)}, Block)} {
			want := uint64(0)
			if letter {
				want = 1<<len(text) - 1
			}
			if got := Mask(text, true); got != want {
				t.Errorf("%q: %x, want %x", text, got, want)
			}
		}
	}
}
