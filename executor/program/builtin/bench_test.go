package builtin

import (
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

func BenchmarkMapper(b *testing.B) {
	text := programtest.Zipf(16 << 20)
	for name, p := range map[string]program.Program{
		"wordcount":     open(b, "wordcount"),
		"wordcount-low": open(b, "wordcount", "lower", "true", "letters", "true"),
		"grep-rare":     open(b, "grep", "pattern", "no such thing"),
		"grep-regexp":   open(b, "grep", "pattern", `w1[0-9]+z\b`),
		"sort":          open(b, "sort"),
		"index":         open(b, "index"),
	} {
		b.Run(name, func(b *testing.B) { programtest.BenchmarkMapper(b, p, text) })
	}
}
