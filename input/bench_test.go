package input_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/objstore/file"
)

// BenchmarkReader reads one split of 64 MiB from memory, without looking at the records.
func BenchmarkReader(b *testing.B) {
	line := []byte("2026-11-21T10:00:00Z GET /index.html 200 1234 \"a browser\" in some 100 bytes of text and no more now\r\n")
	data := bytes.Repeat(line, 64<<20/len(line))
	data = data[:len(data)/100*100]
	long := bytes.Repeat([]byte{'x'}, len(data))
	row := []byte(`"a quoted field",12,"x","","and ""one"" more","2026-11-21T10:00:00Z"` + "\n")
	quoted := bytes.Repeat(row, len(data)/len(row))
	for _, c := range []struct {
		name   string
		format input.Format
		ranges int
		data   []byte
	}{
		{"text", asText, 0, data},
		{"text-1MiB-ranges", asText, 1 << 20, data},
		{"text-one-line", asText, 0, long},
		{"csv", asCSV, 0, data},
		{"csv-multiline", asRows, 0, data},
		{"csv-quoted", asCSV, 0, quoted},
		{"csv-multiline-quoted", asRows, 0, quoted},
		{"fixed", fixedOf(100), 0, data},
		{"whole", asWhole, 0, data},
	} {
		b.Run(c.name, func(b *testing.B) {
			get := func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(c.data[offset:min(offset+length, int64(len(c.data)))])), nil
			}
			s := input.Split{Input: "x", Size: int64(len(c.data)), Length: int64(len(c.data))}
			opts := input.Options{Format: c.format, RangeBytes: c.ranges, ReadAheadBytes: int64(4 * c.ranges), MaxRecord: 1 << 30}
			b.SetBytes(s.Size)
			b.ReportAllocs()
			for b.Loop() {
				r, err := input.Open(b.Context(), s, opts, get)
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = r.Next()
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFile reads a split of 64 MiB from a file in the system's cache, directly and by
// goroutines that read ahead, and searches for a byte that does not occur.
func BenchmarkFile(b *testing.B) {
	const name = "k"
	folder := b.TempDir()
	line := []byte("2026-11-21T10:00:00Z GET /index.html 200 1234 \"a browser\" in some 100 bytes of text and no more now\r\n")
	data := bytes.Repeat(line, 64<<20/len(line))
	if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
		b.Fatal(err)
	}
	bucket, err := file.Open(folder)
	if err != nil {
		b.Fatal(err)
	}
	get := func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		return bucket.Get(ctx, name, offset, length)
	}
	s := input.Split{Input: bucket.URL() + "/" + name, Size: int64(len(data)), Length: int64(len(data))}
	for how, direct := range map[string]bool{"ahead": false, "direct": true} {
		b.Run(how, func(b *testing.B) {
			b.SetBytes(s.Size)
			b.ReportAllocs()
			for b.Loop() {
				r, err := input.Open(b.Context(), s, input.Options{Format: asText, Direct: direct}, get)
				for err == nil {
					var batch *record.Batch
					if batch, err = r.Next(); err == nil && bytes.IndexByte(batch.Data, '#') >= 0 {
						b.Fatal("found")
					}
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
