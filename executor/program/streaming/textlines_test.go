package streaming

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/internal/record"
)

// pairsOf does the same as emit, in the simplest way.
func pairsOf(text, separator string, fields int) (pairs []programtest.KV) {
	lines := strings.Split(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	for i, line := range lines {
		if i < len(lines)-1 || strings.HasSuffix(text, "\n") { // a last line without end keeps its CR
			line = strings.TrimSuffix(line, "\r")
		}
		pieces := strings.SplitN(line, separator, fields+1)
		r := programtest.KV{line}
		if len(pieces) > fields {
			r[1] = pieces[fields]
			r[0] = strings.TrimSuffix(line, separator+r[1])
		}
		pairs = append(pairs, r)
	}
	return pairs
}

// FuzzLines turns lines into pairs, these pairs into lines, and a batch into lines, and compares
// each with a simple implementation.
func FuzzLines(f *testing.F) {
	f.Add("a\tb\r\n\nc\rd\n\te\t\t\nlast", "\t", 1)
	f.Add("a::b::::c\n::\n", "::", 2)
	f.Add("aaaa\naaa", "aa", 1)
	f.Add("\r\n\r", ",", 3)
	f.Fuzz(func(t *testing.T, text, separator string, fields int) {
		if separator == "" || strings.ContainsAny(separator, "\r\n") || fields < 1 || fields > 100 {
			return
		}
		out, pairs := programtest.Collect()
		format := pairFormat{separator: []byte(separator), fields: fields}
		format.emit([]byte(text), out)
		if err := out.Flush(); err != nil {
			t.Fatal(err)
		}
		if want := pairsOf(text, separator, fields); !slices.Equal(*pairs, want) {
			t.Errorf("pairs %q, want %q", *pairs, want)
		}

		var got bytes.Buffer
		var block []byte
		var want strings.Builder
		for _, r := range *pairs {
			block = record.Append(block, []byte(r.Key()), []byte(r.Value()))
			want.WriteString(r.Key() + separator + r.Value() + "\n")
		}
		w := lineWriter{to: &got}
		if err := w.pairs(block, []byte(separator)); err != nil || w.flush() != nil || got.String() != want.String() {
			t.Errorf("lines %q, want %q, %v", got.String(), want.String(), err)
		}

		got.Reset()
		want.Reset()
		b := &record.Batch{Framing: record.Lines, Data: []byte(text)}
		for _, line := range b.Records() {
			want.Write(append(line[:len(line):len(line)], '\n'))
		}
		if err := w.values(b); err != nil || got.String() != want.String() {
			t.Errorf("values %q, want %q, %v", got.String(), want.String(), err)
		}
	})
}

// Blocks that are not records are an error.
func TestDamagedPairs(t *testing.T) {
	w := lineWriter{to: new(bytes.Buffer)}
	if err := w.pairs([]byte{200, 200, 1}, []byte("\t")); err == nil {
		t.Error("no error")
	}
}
