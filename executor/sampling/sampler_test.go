package sampling

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/input"
)

// A piece is mapped up to its budget, but at least one record, however large. Executors with more
// memory, which read larger batches, map the same records.
func TestSampleIsTheSameInAnyBatches(t *testing.T) {
	const pieces, each = 20, 100
	for _, format := range []string{"text", "fixed:67", "csv-multiline", "whole"} {
		parsed, splits := objects(t, format, 1<<20)
		plan := choosePieces(splits, parsed, pieces, pieces*each)
		var first []string
		for _, memory := range []int64{16 << 20, 128 << 20} {
			s := samplerWith(parsed, memory)
			got := s.sampled(t, plan)
			if len(got) < len(plan) {
				t.Errorf("%s: %d records of %d pieces", format, len(got), len(plan))
			}
			if format != "whole" && s.read > pieces*(each+2*70) {
				t.Errorf("%s: %d bytes were read of %d pieces", format, s.read, len(plan))
			}
			if first == nil {
				first = got
			} else if !slices.Equal(got, first) {
				t.Errorf("%s: another executor samples other records", format)
			}
		}
	}
}

// An object that turns out to be compressed is sampled from its beginning, with the budget of all
// its pieces.
func TestSampleOfCompressedUnderAnotherName(t *testing.T) {
	const pieces, each = 20, 100
	for _, format := range []string{"gzip text", "gzip csv"} {
		parsed, splits := objects(t, format, 32<<10)
		plan := choosePieces(splits, parsed, pieces, pieces*each)
		s := samplerWith(parsed, 16<<20)
		got := s.sampled(t, plan)
		if least := pieces * each / 70 / 2; len(got) < least {
			t.Errorf("%s: %d records of %d pieces, want %d", format, len(got), len(plan), least)
		}
		if !slices.ContainsFunc(got, func(place string) bool { return strings.Contains(place, "1.txt") }) {
			t.Errorf("%s: none of the large object: %v", format, got)
		}
		if s.read > pieces*(each+2*70) {
			t.Errorf("%s: %d bytes were read", format, s.read)
		}
	}
}

// objects writes files of a format, one of them long, and returns their splits. If the format's
// name begins with "gzip ", they are compressed, and their names do not say so.
func objects(t *testing.T, format string, splitSize int64) (input.Format, input.Task) {
	t.Helper()
	format, compressed := strings.CutPrefix(format, "gzip ")
	parsed, err := formats.Inputs.Parse(format, "")
	if err != nil {
		t.Fatal(err)
	}
	sizes := []int{3, 40_000, 1, 2_000} // lines
	if format == "whole" {
		sizes = []int{3, 1, 2_000, 5} // none exceeds the limit of a record
	}
	var objects []input.Object
	rng := rand.New(rand.NewPCG(3, 4)) // for lines that don't compress well
	for i, lines := range sizes {
		var data bytes.Buffer
		for n := range lines {
			fmt.Fprintf(&data, "%d,%d,%015x%015x%015x%015x\n", i, n, rng.Uint64()>>4, rng.Uint64()>>4, rng.Uint64()>>4, rng.Uint64()>>4)
		}
		var n int
		if _, err := fmt.Sscanf(format, "fixed:%d", &n); err == nil {
			data.Truncate(data.Len() / n * n)
		}
		if compressed {
			data = gzipped(t, data.Bytes())
		}
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.txt", i))
		if err := os.WriteFile(path, data.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, input.Object{URL: "file://" + path, Size: int64(data.Len())})
	}
	tasks, err := input.Plan(objects, input.Options{Format: parsed}, splitSize)
	if err != nil {
		t.Fatal(err)
	}
	var splits input.Task
	for task := range tasks {
		splits = append(splits, task...)
	}
	return parsed, splits
}

func gzipped(t *testing.T, data []byte) (compressed bytes.Buffer) {
	t.Helper()
	w := gzip.NewWriter(&compressed)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return compressed
}

// samplerWith returns a sampler of files for a slot with so much memory, in bytes.
func samplerWith(format input.Format, memory int64) *Sampler {
	return &Sampler{
		Format:  format,
		Options: input.Options{Format: format, MaxRecord: memory / 16, ReadAheadBytes: min(memory/5, 32<<20), Direct: true},
		Open: func(ctx context.Context, s input.Split, opts input.Options) (*input.Reader, error) {
			return input.Open(ctx, s, opts, func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
				f, err := os.Open(strings.TrimPrefix(s.Input, "file://"))
				if err != nil {
					return nil, err
				}
				if length < 0 {
					length = s.Size - offset
				}
				return section{io.NewSectionReader(f, offset, length), f}, nil
			})
		},
	}
}

// section is a range of a file.
type section struct {
	io.Reader
	io.Closer
}

// sampled returns the places of the records of a sample.
func (s *Sampler) sampled(t *testing.T, plan []piece) (records []string) {
	t.Helper()
	r := pieceReader{sampler: s, plan: plan}
	var bytes int64
	for {
		b, err := r.next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for offset, record := range b.Records() {
			bytes += int64(len(record)) + 1
			records = append(records, fmt.Sprint(b.Input, " ", offset, " ", len(record)))
		}
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	if bytes != s.read {
		t.Errorf("%d bytes of records are mapped, and %d counted", bytes, s.read)
	}
	return records
}
