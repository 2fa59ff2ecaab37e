package program

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/internal/record"
)

// zipf returns about size bytes of lines of words whose frequencies follow Zipf's law.
func zipf(size int) string {
	r := rand.New(rand.NewPCG(1, 2))
	z := rand.NewZipf(r, 1.1, 4, 200_000)
	var s strings.Builder
	for n := 0; s.Len() < size; n++ {
		s.WriteString("w" + strconv.FormatUint(z.Uint64()*7919, 36))
		if n%10 == 9 {
			s.WriteByte('\n')
		} else {
			s.WriteByte(' ')
		}
	}
	return s.String()
}

func discard() *record.Emitter {
	return record.NewEmitter(256<<10, func(block []byte) ([]byte, error) { return block, nil })
}

func benchmarkMapper(b *testing.B, p Program, text string) {
	batches := lines("file:///in", text, 1<<20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		m, err := p.NewMapper(b.Context(), attempt(b))
		if err != nil {
			b.Fatal(err)
		}
		out := discard()
		for i := range batches {
			if err := m.Map(&batches[i], out); err != nil {
				b.Fatal(err)
			}
		}
		if err := m.Close(out); err != nil {
			b.Fatal(err)
		}
		m.Kill()
	}
}

func BenchmarkMapper(b *testing.B) {
	text := zipf(16 << 20)
	for name, p := range map[string]Program{
		"wordcount":     open(b, "wordcount"),
		"wordcount-low": open(b, "wordcount", "lower", "true", "letters", "true"),
		"grep-rare":     open(b, "grep", "pattern", "no such thing"),
		"grep-regexp":   open(b, "grep", "pattern", `w1[0-9]+z\b`),
		"sort":          open(b, "sort"),
		"index":         open(b, "index"),
	} {
		b.Run(name, func(b *testing.B) { benchmarkMapper(b, p, text) })
	}
}

const pythonWordCount = `
def map_fn(key, value):
    for word in value.split():
        yield (word, 1)
def combine_fn(key, values):
    yield (key, sum(values))
def reduce_fn(key, values):
    yield (key, sum(values))
`

func BenchmarkPython(b *testing.B) {
	text := zipf(64 << 20)
	b.Run("wordcount", func(b *testing.B) {
		benchmarkMapper(b, openSource(b, pythonWordCount, nil), text)
	})
	b.Run("wordcount-uncombined", func(b *testing.B) {
		benchmarkMapper(b, openSource(b, strings.Replace(pythonWordCount, "combine_fn", "other", 1), nil), text)
	})
	b.Run("start", func(b *testing.B) {
		benchmarkMapper(b, openSource(b, pythonWordCount, nil), "one line\n")
	})
}
