package sample

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
)

// newSources returns a source of each kind.
func newSources(t testing.TB, seed uint64, vocabulary int) map[string]Source {
	t.Helper()
	text, err := NewText(seed, vocabulary)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Source{
		"text":      text,
		"accesslog": NewAccessLog(seed),
		"activity":  NewActivity(seed),
		"records":   NewRecords(seed),
	}
}

// generate returns the files of a source.
func generate(t testing.TB, source Source, size int64, files int) [][]byte {
	t.Helper()
	made := make([][]byte, files)
	for piece, err := range Pieces(t.Context(), source, size, files) {
		if err != nil {
			t.Fatal(err)
		}
		made[piece.File] = append(made[piece.File], piece.Data...)
	}
	return made
}

// TestGolden pins the bytes of a seed: published measurements name seeds.
func TestGolden(t *testing.T) {
	golden := map[string]string{
		"text":      "c9d3214fb8e6aef11be85bcf8f03c161a7d3250da55484709fb096bd9200104e",
		"accesslog": "7f746ccaa8207d3ec87023141a4b6d493ca83c08b290b7add7f2f128bd6bc691",
		"activity":  "d5e5cb1549a28fa1b215ac75f181260102cb408efb0e1629f95f38087a355527",
		"records":   "2c06637fd5fe1d1a7ae4ca914e30cbca0c506fe3239a75f83abfe7d3c3dbdb5a",
	}
	for name, source := range newSources(t, 7, DefaultVocabulary) {
		data := generate(t, source, 3<<20, 1)[0]
		sum := sha256.Sum256(data)
		if got := hex.EncodeToString(sum[:]); got != golden[name] {
			t.Errorf("%s: sum %s, want %s; it begins\n%.300s", name, got, golden[name], data)
		}
	}
}

func TestSeedsDiffer(t *testing.T) {
	others := newSources(t, 2, 2000)
	for name, source := range newSources(t, 1, 2000) {
		a, b := source.AppendBlock(nil, 0), others[name].AppendBlock(nil, 0)
		if bytes.Equal(a, b) {
			t.Errorf("%s: seeds 1 and 2 give the same data", name)
		}
		if bytes.Equal(a, source.AppendBlock(nil, 1)) {
			t.Errorf("%s: blocks 0 and 1 are the same", name)
		}
	}
}

func TestSizeIsMetWithinARecord(t *testing.T) {
	for name, source := range newSources(t, 1, 2000) {
		whole := generate(t, source, 1<<20+1000, 1)[0]
		for _, size := range []int64{0, 1, 99, 100, 101, 250_000, 1<<20 - 1} {
			got := generate(t, source, size, 1)[0]
			if !bytes.HasPrefix(whole, got) {
				t.Fatalf("%s: %d bytes are not a prefix of more bytes", name, size)
			}
			next := len(got) + bytes.IndexByte(whole[len(got):], '\n') + 1
			if int64(len(got)) > size || int64(next) <= size {
				t.Errorf("%s: %d bytes for a size of %d, and the next record ends at %d", name, len(got), size, next)
			}
		}
	}
}

func TestFilesAreTheSameStream(t *testing.T) {
	const size = 700_000
	for name, source := range newSources(t, 1, 2000) {
		whole := generate(t, source, size, 1)[0]
		for _, files := range []int{2, 3, 16, 5_000} {
			made := generate(t, source, size, files)
			if !bytes.Equal(bytes.Join(made, nil), whole) {
				t.Errorf("%s: %d files are another stream than one", name, files)
			}
			for i, file := range made {
				if len(file) > 0 && file[len(file)-1] != '\n' {
					t.Fatalf("%s: file %d of %d ends within a record", name, i, files)
				}
				if left := len(file) - size/files; left > 400 || left < -400 {
					t.Errorf("%s: file %d of %d has %d bytes", name, i, files, len(file))
				}
			}
		}
	}
}

func TestPiecesStopWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pieces := 0
	var err error
	for _, err = range Pieces(ctx, NewRecords(1), 1<<40, 1) {
		if pieces++; pieces == 3 {
			cancel()
		}
	}
	if !errors.Is(err, context.Canceled) || pieces != 4 {
		t.Fatalf("%d pieces, then %v", pieces, err)
	}
}

func TestPiecesRefuseNonsense(t *testing.T) {
	for _, test := range []struct {
		size  int64
		files int
	}{{-1, 1}, {1, 0}} {
		for _, err := range Pieces(t.Context(), NewRecords(1), test.size, test.files) {
			if err == nil {
				t.Errorf("%d bytes in %d files: no error", test.size, test.files)
			}
		}
	}
	for _, vocabulary := range []int{0, MaxVocabulary + 1} {
		if _, err := NewText(1, vocabulary); err == nil {
			t.Errorf("a vocabulary of %d words: no error", vocabulary)
		}
	}
}

func BenchmarkAppendBlock(b *testing.B) {
	for name, source := range newSources(b, 1, DefaultVocabulary) {
		b.Run(name, func(b *testing.B) {
			var buffer []byte
			for n := range uint64(b.N) {
				buffer = source.AppendBlock(buffer[:0], n)
			}
			b.SetBytes(int64(len(buffer)))
		})
	}
}
