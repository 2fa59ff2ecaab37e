package output_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/file"
	"github.com/bucketmill/bucketmill/output"
)

// counted is a format of its own: lengths before the bytes, and the number of records as a footer.
type counted struct{}

func (counted) String() string { return "counted" }

func (counted) NewWriter(w io.Writer, _ output.Options) output.Writer { return &countedWriter{to: w} }

type countedWriter struct {
	to      io.Writer
	records int64
}

func (w *countedWriter) Write(block []byte) error {
	for len(block) > 0 {
		key, value, n, err := record.Read(block)
		if err != nil {
			return err
		}
		block = block[n:]
		w.records++
		if _, err := fmt.Fprintf(w.to, "%d,%d:%s%s", len(key), len(value), key, value); err != nil {
			return err
		}
	}
	return nil
}

func (w *countedWriter) Records() int64 { return w.records }

func (w *countedWriter) Close() error {
	_, err := fmt.Fprintf(w.to, "records=%d", w.records)
	return err
}

// TestParts writes parts in formats of a table to which one is added, and publishes them.
func TestParts(t *testing.T) {
	table := append(formats.Outputs[:len(formats.Outputs):len(formats.Outputs)], counted{})
	bucket, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	block := record.Append(record.Append(nil, []byte("k"), []byte("value")), []byte("only a key"), nil)
	for _, c := range []struct {
		format string
		opts   output.Options
		want   string
	}{
		{"", output.Options{}, "k\tvalue\nonly a key\t\n"},
		{"text", output.Options{KeyOnly: true}, "k\nonly a key\n"},
		{"counted", output.Options{}, "1,5:kvalue10,0:only a keyrecords=2"},
	} {
		f, err := table.Parse(c.format)
		if err != nil {
			t.Fatal(err)
		}
		p, err := output.Create(t.Context(), bucket, "out/part-00000", f, c.opts)
		if err != nil {
			t.Fatal(err)
		}
		if reused, err := p.Take(block); err != nil || &reused[0] != &block[0] {
			t.Errorf("%q: another block comes back: %v", c.format, err)
		}
		sealed, err := p.Seal()
		if err != nil {
			t.Fatal(err)
		}
		want := output.Sealed{
			Upload: sealed.Upload, Bytes: int64(len(c.want)), Records: 2, Checksum: fmt.Sprintf("xxh64:%016x", xxhash.Sum64String(c.want)),
		}
		if fmt.Sprint(sealed) != fmt.Sprint(want) || p.Records() != 2 {
			t.Errorf("%q: sealed as %v, want %v", c.format, sealed, want)
		}
		if _, err := bucket.Complete(t.Context(), sealed.Upload); err != nil {
			t.Fatal(err)
		}
		r, err := bucket.Get(t.Context(), "out/part-00000", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || string(got) != c.want {
			t.Errorf("%q: %q, want %q: %v", c.format, got, c.want, err)
		}
	}
	if _, err := table.Parse("parquet"); err == nil || !strings.Contains(err.Error(), "want text, counted") {
		t.Errorf("an unknown format: %v", err)
	}
}

// full is a bucket whose uploads take no more than some bytes.
type full struct {
	objstore.Bucket
	room    int
	aborted bool
}

var errFull = errors.New("no space")

func (f *full) Create(context.Context, string) (objstore.Writer, error) {
	return fullWriter{full: f}, nil
}

type fullWriter struct {
	objstore.Writer
	full *full
}

func (w fullWriter) Write(p []byte) (int, error) {
	if w.full.room < len(p) {
		return 0, errFull
	}
	return len(p), nil
}

func (w fullWriter) Abort() error {
	w.full.aborted = true
	return nil
}

// A part whose last bytes can't be written is not sealed, and leaves no upload.
func TestSealFails(t *testing.T) {
	bucket := &full{room: 3}
	p, err := output.Create(t.Context(), bucket, "k", formats.Outputs[0], output.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Take(record.Append(nil, []byte("key"), nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Seal(); !errors.Is(err, errFull) || !bucket.aborted {
		t.Errorf("sealed: %v; the upload is aborted: %v", err, bucket.aborted)
	}
}

func TestCorruptBlock(t *testing.T) {
	p, err := output.Create(t.Context(), &full{}, "k", formats.Outputs[0], output.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Take([]byte{9, 9, 'x'}); !errors.Is(err, record.ErrCorrupt) {
		t.Errorf("a block that is cut off: %v", err)
	}
}

// BenchmarkPart writes blocks of records as lines: short and long ones, and lines that are only
// keys.
func BenchmarkPart(b *testing.B) {
	for _, c := range []struct {
		name       string
		key, value int
		keyOnly    bool
	}{{"sort", 10, 88, false}, {"lines", 60, 0, true}, {"counts", 8, 3, false}} {
		b.Run(c.name, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			var block []byte
			key, value := make([]byte, c.key), make([]byte, c.value)
			for len(block) < 60<<10 {
				for i := range key {
					key[i] = 'a' + byte(rng.IntN(26))
				}
				block = record.Append(block, key, value)
			}
			p, err := output.Create(b.Context(), &full{room: 1 << 30}, "k", formats.Outputs[0], output.Options{KeyOnly: c.keyOnly})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(block)))
			for b.Loop() {
				if _, err := p.Take(block); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
