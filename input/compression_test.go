package input_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/bucketmill/bucketmill/input"
)

func gzipped(t testing.TB, texts ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	for _, text := range texts {
		compress(t, gzip.NewWriter(&buf), text)
	}
	return buf.Bytes()
}

func zstded(t testing.TB, texts ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	for _, text := range texts {
		w, err := zstd.NewWriter(&buf, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		compress(t, w, text)
	}
	return buf.Bytes()
}

func compress(t testing.TB, w io.WriteCloser, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// bzipped returns two streams, which contain "one\ntwo\r\n" and "three".
func bzipped(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/two-streams.bz2")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCompressed(t *testing.T) {
	big := strings.Repeat("a line of text\n", 100_000)
	lines := []located{{0, "one"}, {4, "two"}, {9, "three"}}
	for _, c := range []struct {
		name   string
		data   []byte
		format input.Format
		want   []located
	}{
		{"a.gz", gzipped(t, "one\ntwo\r\n", "three"), asText, lines},
		{"a.zst", zstded(t, "one\ntwo\r\n", "three"), asText, lines},
		{"a.bz2", bzipped(t), asText, lines},
		{"a.bz2", bzipped(t), asCSV, lines[1:]},
		{"a.bz2", bzipped(t), asRows, lines[1:]},
		{"a.bz2", bzipped(t), asWhole, []located{{0, "one\ntwo\r\nthree"}}},
		{"a.bz2", bzipped(t), fixedOf(7), []located{{0, "one\ntwo"}, {7, "\r\nthree"}}},
		{"empty.gz", gzipped(t, ""), asText, nil},
		{"empty.zst", zstded(t, ""), asWhole, nil},
		{"big.gz", gzipped(t, big), asText, oracle([]byte(big), asText)},
		{"big.zst", zstded(t, big), asText, oracle([]byte(big), asText)},
		{"big.gz", gzipped(t, big), asWhole, []located{{0, big}}},
	} {
		for _, length := range []int{1, 7, 1 << 20} {
			o := newObject(c.data)
			if length == 1 && len(c.data) > 1000 {
				length = 1000
			}
			got, _, err := read(t, o, whole(c.name, o), input.Options{Format: c.format, RangeBytes: length})
			if err != nil {
				t.Errorf("%s as %v: %v", c.name, c.format, err)
			} else if d := diff(got, c.want); d != "" {
				t.Errorf("%s as %v: %s", c.name, c.format, d)
			}
		}
	}
}

// TestTruncated cuts compressed objects off at every byte.
func TestTruncated(t *testing.T) {
	for name, data := range map[string][]byte{
		"a.gz":  gzipped(t, "some text\nof two lines\n"),
		"a.zst": zstded(t, "some text\nof two lines\n"),
		"a.bz2": bzipped(t)[:40],
	} {
		for n := 1; n < len(data); n++ {
			o := newObject(data[:n])
			_, _, err := read(t, o, whole(name, o), input.Options{Format: asText})
			var bad *input.FormatError
			if !errors.As(err, &bad) || bad.Object != "s3://bucket/"+name || !errors.Is(err, input.ErrInput) {
				t.Fatalf("%d bytes of %s: %v", n, name, err)
			}
		}
	}
}

func TestCorrupt(t *testing.T) {
	text := strings.Repeat("some text\n", 100)
	for name, data := range map[string][]byte{
		"a.gz":      gzipped(t, text),
		"a.zst":     zstded(t, text),
		"a.bz2":     bzipped(t),
		"plain.gz":  []byte("not compressed at all\n"),
		"zst.gz":    zstded(t, text),
		"gz.zst":    gzipped(t, text),
		"plain.bz2": []byte("B\n"),
		"rest.gz":   append(gzipped(t, text), "and more"...),
	} {
		if strings.HasPrefix(name, "a.") {
			data[len(data)-6] ^= 0x55 // in a checksum or in the data
		}
		o := newObject(data)
		_, _, err := read(t, o, whole(name, o), input.Options{Format: asText})
		var bad *input.FormatError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), "s3://bucket/"+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCompressedStoreError lets the store fail: the error is the store's, not one of the data.
func TestCompressedStoreError(t *testing.T) {
	gone := errors.New("connection lost")
	for name, data := range map[string][]byte{"a.gz": gzipped(t, "text\n"), "a.zst": zstded(t, "text\n"), "a.bz2": bzipped(t)} {
		for at := range int64(len(data)) {
			o := newObject(data)
			o.fault = func(offset int64) error {
				if offset >= at {
					return gone
				}
				return nil
			}
			_, _, err := read(t, o, whole(name, o), input.Options{Format: asText, RangeBytes: 3})
			if !errors.Is(err, gone) || errors.Is(err, input.ErrInput) {
				t.Fatalf("%s fails at %d: %v", name, at, err)
			}
		}
	}
}

// TestBombs reads objects that become a thousand times larger.
func TestBombs(t *testing.T) {
	const size = 24 << 20
	for name, data := range map[string][]byte{
		"zeros.gz":  gzipped(t, strings.Repeat("\x00", size)),
		"zeros.zst": zstded(t, strings.Repeat("\x00", size)),
		"lines.gz":  gzipped(t, strings.Repeat("0123456789abcde\n", size/16)),
		"lines.zst": zstded(t, strings.Repeat("0123456789abcde\n", size/16)),
	} {
		o := newObject(data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := input.Open(t.Context(), whole(name, o), input.Options{Format: asText, MaxRecord: 1 << 20}, o.get)
		if err != nil {
			t.Fatal(err)
		}
		records := 0
		for err == nil {
			b, nerr := r.Next()
			if err = nerr; err == nil {
				records += b.Len()
			}
		}
		if cerr := r.Close(); cerr != nil {
			t.Error(cerr)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 18<<20 {
			t.Errorf("%s: %d bytes were allocated", name, used)
		}
		var long *input.RecordTooLongError
		switch strings.HasPrefix(name, "zeros") {
		case true:
			if !errors.As(err, &long) || long.Offset != 0 {
				t.Errorf("%s: %v", name, err)
			}
		case false:
			if !errors.Is(err, io.EOF) || records != size/16 {
				t.Errorf("%s: %d records, %v", name, records, err)
			}
		}
	}
}
