package builtin

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

// TestFinder compares both ways to search with package bytes. Its texts have few different letters,
// so that nearly everything nearly matches.
func TestFinder(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	random := func(n int, alphabet string) []byte {
		s := make([]byte, n)
		for i := range s {
			s[i] = alphabet[rng.IntN(len(alphabet))]
		}
		return s
	}
	for range 20_000 {
		alphabet := []string{"ab", "abc", "the quick\n", "\x00\x01\x7f\x80\x81\xff"}[rng.IntN(4)]
		text := random(1+rng.IntN(12), alphabet)
		s := random(rng.IntN(300), alphabet)
		f, want := newFinder(text), bytes.Index(s, text)
		if got := f.index(s); got != want {
			t.Fatalf("%q in %q: at %d, not %d", text, s, got, want)
		}
		if got := f.indexAtOnce(s); got != want {
			t.Fatalf("%q in %q, at once: at %d, not %d", text, s, got, want)
		}
	}
}

func FuzzFinder(f *testing.F) {
	f.Add([]byte("needle"), []byte("a haystack with a needle in it"))
	f.Add([]byte("\x00"), []byte("\x01\x00"))
	f.Fuzz(func(t *testing.T, text, s []byte) {
		if len(text) == 0 {
			return
		}
		finder, want := newFinder(text), bytes.Index(s, text)
		if a, b := finder.index(s), finder.indexAtOnce(s); a != want || b != want {
			t.Fatalf("at %d, at once %d, want %d", a, b, want)
		}
	})
}

// BenchmarkFinder searches for a text that does not occur, with finder and with package bytes.
func BenchmarkFinder(b *testing.B) {
	text := []byte(programtest.Zipf(256 << 10))
	english := []byte(strings.Repeat("It was the best of times, it was the worst of times, it was the age of wisdom...\n", 3000))
	for _, c := range []struct {
		name, text string
		s          []byte
	}{
		{"words", "wxyzzyq", text},
		{"common", "w1ww1w1w", text},
		{"english", "the times were", english},
		{"english-rare", "jazz", english},
		{"one", "#", english},
	} {
		f := newFinder([]byte(c.text))
		for name, index := range map[string]func() int{
			"finder": func() int { return f.index(c.s) },
			"atonce": func() int { return f.indexAtOnce(c.s) },
			"bytes":  func() int { return bytes.Index(c.s, f.text) },
		} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(c.s)))
				for b.Loop() {
					if index() >= 0 {
						b.Fatal("found")
					}
				}
			})
		}
	}
}
