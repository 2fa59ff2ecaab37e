package python

import (
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

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
	text := programtest.Zipf(64 << 20)
	b.Run("wordcount", func(b *testing.B) {
		programtest.BenchmarkMapper(b, openSource(b, pythonWordCount, nil), text)
	})
	b.Run("wordcount-uncombined", func(b *testing.B) {
		programtest.BenchmarkMapper(b, openSource(b, strings.Replace(pythonWordCount, "combine_fn", "other", 1), nil), text)
	})
	b.Run("start", func(b *testing.B) {
		programtest.BenchmarkMapper(b, openSource(b, pythonWordCount, nil), "one line\n")
	})
}
