package mapred

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// zipfLines returns lines of ten words each, of about the length and the frequencies of real text.
func zipfLines(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.1, 1, 200_000)
	var text []byte
	for words := 1; len(text) < size; words++ {
		n := zipf.Uint64()
		text = strconv.AppendUint(append(text, 'w'), n*2654435761%(10+n*1000), 26)
		text = append(text, " \n"[words%10/9])
	}
	return text
}

// conversation is what a map task of text gets.
func conversation(b *testing.B, text []byte) []byte {
	var in bytes.Buffer
	w := frames.NewWriter(&in)
	write := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	write(w.WriteMessage(frames.TypeHello, mapping))
	header := frames.AppendBatchHeader(nil, &record.Batch{Input: "f", Framing: record.Lines})
	for len(text) > 0 {
		n := min(len(text), 256<<10)
		if end := bytes.IndexByte(text[n:], '\n'); end >= 0 {
			n += end + 1
		}
		write(w.Write(frames.TypeBatch, header, text[:n]))
		text = text[n:]
	}
	write(w.Write(frames.TypeEnd))
	return in.Bytes()
}

// BenchmarkCountWords is a map task of a word count, and what its parts take: lines, words, and the
// table.
func BenchmarkCountWords(b *testing.B) {
	text := zipfLines(32 << 20)
	in := conversation(b, text)
	for name, m := range map[string]MapFunc{
		"lines": func(context.Context, Record, *Emitter) error { return nil },
		"words": func(_ context.Context, line Record, _ *Emitter) error {
			for word := range bytes.FieldsSeq(line.Value) {
				_ = word
			}
			return nil
		},
		"Words": func(_ context.Context, line Record, _ *Emitter) error {
			for word := range Words(line.Value) {
				_ = word
			}
			return nil
		},
		"all with Words": func(_ context.Context, line Record, emit *Emitter) error {
			for word := range Words(line.Value) {
				emit.EmitInts(word, 1)
			}
			return nil
		},
		"all": func(_ context.Context, line Record, emit *Emitter) error {
			for word := range bytes.FieldsSeq(line.Value) {
				emit.EmitInts(word, 1)
			}
			return nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			job := Job{Mapper: m, Columns: Columns{Sum}}
			for b.Loop() {
				if err := Serve(b.Context(), job, bytes.NewReader(in), io.Discard, io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
