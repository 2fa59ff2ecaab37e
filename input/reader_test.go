package input_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/input/fixed"
)

func TestHeader(t *testing.T) {
	const text = "id,name\r\n1,a\n2,b\n"
	for _, kind := range []input.Format{asCSV, asRows} {
		o := newObject([]byte(text))
		s := whole("x.csv", o)
		if kind == asCSV {
			s.Offset, s.Length = 12, s.Size-12 // within the first record
		}
		records, header, err := read(t, o, s, input.Options{Format: kind, RangeBytes: 2})
		if err != nil || header != "id,name" || records[len(records)-1] != (located{13, "2,b"}) {
			t.Errorf("%v: %v after %q, %v", kind, records, header, err)
		}
	}
}

// TestMaxRecord has records of exactly the limit, and one byte longer, in ranges of all sizes.
func TestMaxRecord(t *testing.T) {
	ten := strings.Repeat("x", 10)
	for _, c := range []struct {
		name, text, format string
		tooLong            int64 // the offset in the error, or -1
	}{
		{"a", "a\n" + ten + "\n" + ten + "\r\nb\n", "text", -1},
		{"a", ten, "text", -1},
		{"a", ten + "\r", "text", 0},
		{"a", "ab\n" + ten + "x\nb\n", "text", 3},
		{"a", "ab\n" + ten + "x\r\n", "text", 3},
		{"a", "ab\n" + ten + ten + ten, "text", 3},
		{"a", ten + "x\nb\n", "csv", 0},
		{"a", "h\nab\n" + ten + "\n", "csv", -1},
		{"a", "h\n" + "\"a\n\n\n\n\n\n\nb\"" + "\n", "csv-multiline", 2},
		{"a", "h\n" + "\"a\n\n\n\n\n\nb\"" + "\r\n", "csv-multiline", -1},
		{"a", ten, "whole", -1},
		{"a", ten + "x", "whole", 0},
		{"a.gz", ten + "x", "whole", 0},
		{"a.gz", "ab\n" + ten + "x\n", "text", 3},
		{"a", ten, "fixed:10", -1},
	} {
		f := parse(t, c.format)
		data := []byte(c.text)
		if strings.HasSuffix(c.name, ".gz") {
			data = gzipped(t, c.text)
		}
		for length := 1; length < len(data)+2; length++ {
			o := newObject(data)
			_, err := readCut(t, c.name, o, int64(len(data)), input.Options{Format: f, MaxRecord: 10, RangeBytes: length})
			var long *input.RecordTooLongError
			switch {
			case c.tooLong < 0 && err != nil:
				t.Errorf("%q as %s in ranges of %d: %v", c.text, c.format, length, err)
			case c.tooLong < 0:
			case !errors.As(err, &long) || !errors.Is(err, input.ErrInput):
				t.Errorf("%q as %s in ranges of %d: %v", c.text, c.format, length, err)
			case *long != input.RecordTooLongError{Object: "s3://bucket/" + c.name, Offset: c.tooLong, Limit: 10}:
				t.Errorf("%q as %s in ranges of %d: %+v", c.text, c.format, length, long)
			}
		}
	}
}

func TestFixedOfOtherSize(t *testing.T) {
	opts := input.Options{Format: fixedOf(4)}
	for name, data := range map[string][]byte{"a": []byte("123456789"), "a.gz": gzipped(t, "123456789")} {
		o := newObject(data)
		_, _, err := read(t, o, whole(name, o), opts)
		if !errors.Is(err, input.ErrInput) || !strings.Contains(err.Error(), "s3://bucket/"+name) ||
			!strings.Contains(err.Error(), "9 bytes") || !strings.Contains(err.Error(), "4 bytes") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestChangedObject plans with a size that the object no longer has.
func TestChangedObject(t *testing.T) {
	text := strings.Repeat("line\n", 20)
	for _, kind := range []input.Format{asText, asCSV, asRows, asWhole} {
		for size := range 2 * len(text) {
			for _, length := range []int{7, 1000} {
				o := newObject([]byte(text))
				s := input.Split{Input: "s3://bucket/k", Size: int64(size), Length: int64(size)}
				_, _, err := read(t, o, s, input.Options{Format: kind, RangeBytes: length})
				if size == 0 || size == len(text) {
					if err != nil {
						t.Fatalf("size %d: %v", size, err)
					}
					continue
				}
				how := input.Shorter
				if size < len(text) {
					how = input.Longer
				}
				var changed *input.ChangedError
				if !errors.As(err, &changed) || changed.Object != s.Input || changed.Size != s.Size ||
					changed.How != how || !errors.Is(err, input.ErrInput) {
					t.Fatalf("%v planned with %d bytes: %v", kind, size, err)
				}
			}
		}
	}
}

// TestStoreErrors lets the store fail at every byte. The error arrives, no record comes after it,
// and none is cut off.
func TestStoreErrors(t *testing.T) {
	lost := fmt.Errorf("connection lost: %w", io.EOF) // not the end
	data := []byte("one\ntwo\nthree\nfour")
	want := oracle(data, asText)
	for at := range int64(len(data)) {
		for length := 1; length < 20; length++ {
			o := newObject(data)
			o.fault = func(offset int64) error {
				if offset >= at {
					return lost
				}
				return nil
			}
			got, _, err := read(t, o, whole("k", o), input.Options{Format: asText, RangeBytes: length})
			if !errors.Is(err, lost) || errors.Is(err, io.EOF) || errors.Is(err, input.ErrInput) || !strings.Contains(err.Error(), "s3://bucket/k") {
				t.Fatalf("fault at %d: %v", at, err)
			}
			if d := diff(got, want[:len(got)]); d != "" {
				t.Fatalf("fault at %d: %s", at, d)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		s    input.Split
		opts input.Options
	}{
		"negative offset":    {input.Split{Size: 10, Offset: -1, Length: 5}, input.Options{Format: asText}},
		"past the end":       {input.Split{Size: 10, Offset: 6, Length: 5}, input.Options{Format: asText}},
		"overflow":           {input.Split{Size: 10, Offset: 6, Length: 1<<63 - 1}, input.Options{Format: asText}},
		"part of compressed": {input.Split{Input: "a.gz", Size: 10, Length: 5}, input.Options{Format: asText}},
		"negative record":    {input.Split{}, input.Options{Format: asText, MaxRecord: -1}},
		"negative range":     {input.Split{}, input.Options{Format: asText, RangeBytes: -1}},
		"negative memory":    {input.Split{}, input.Options{Format: asText, ReadAheadBytes: -1}},
		"no format":          {input.Split{}, input.Options{}},
		"of no table":        {input.Split{}, input.Options{Format: input.Format{Kind: fixed.Format{}}}},
		"fixed over limit":   {input.Split{}, input.Options{Format: fixedOf(9), MaxRecord: 8}},
	} {
		if r, err := input.Open(t.Context(), c.s, c.opts, nil); err == nil || r != nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// stuck is a store whose reads never end.
type stuck struct{ reads atomic.Int64 } // under way

func (k *stuck) get(ctx context.Context, _, _ int64) (io.ReadCloser, error) {
	k.reads.Add(1)
	defer k.reads.Add(-1)
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// TestEndings ends a Reader in all ways. The bubble fails if a goroutine remains.
func TestEndings(t *testing.T) {
	s := input.Split{Input: "s3://bucket/k", Size: 1 << 20, Length: 1 << 20}
	opts := input.Options{Format: asText, RangeBytes: 1 << 10, ReadAheadBytes: 5 << 10}
	t.Run("close while reads are stuck", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var store stuck
			r, err := input.Open(t.Context(), s, opts, store.get)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n := store.reads.Load(); n != 5 {
				t.Errorf("%d reads are under way, want 5", n)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if n := store.reads.Load(); n != 0 {
				t.Errorf("%d reads are under way after Close", n)
			}
		})
	})
	for _, opts.Direct = range []bool{false, true} {
		t.Run(fmt.Sprintf("direct %v", opts.Direct), func(t *testing.T) { testEndings(t, s, opts) })
	}
}

// testEndings is the part of TestEndings for Readers that read ahead and directly.
func testEndings(t *testing.T, s input.Split, opts input.Options) {
	t.Run("cancel while Next waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var store stuck
			r, err := input.Open(ctx, s, opts, store.get)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				synctest.Wait()
				cancel()
			}()
			if _, err := r.Next(); !errors.Is(err, context.Canceled) {
				t.Errorf("Next: %v", err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("close in the middle, twice", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := newObject([]byte(strings.Repeat("line\n", 1<<18)))
			r, err := input.Open(t.Context(), whole("k", o), opts, o.get)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Next(); err != nil {
				t.Error(err)
			}
			for range 2 {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
			if n := o.open(); n != 0 {
				t.Errorf("%d bodies are open", n)
			}
			if n := r.BytesRead(); n > opts.ReadAheadBytes+2<<10 {
				t.Errorf("%d bytes were read ahead", n)
			}
			if _, err := r.Next(); err == nil {
				t.Error("Next gives records after Close")
			}
		})
	})
}

// TestReadsLittleMore checks that a split costs hardly more bytes and requests than it needs.
func TestReadsLittleMore(t *testing.T) {
	o := newObject([]byte(strings.Repeat("line\n", 1<<20)))
	s := whole("k", o)
	s.Offset, s.Length = 1<<20, 3<<20
	r, err := input.Open(t.Context(), s, input.Options{Format: asText, RangeBytes: 1 << 20}, o.get)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = r.Next()
	}
	if !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if n := r.BytesRead(); n < s.Length || n > s.Length+65<<10 {
		t.Errorf("%d bytes were read for %d", n, s.Length)
	}
	if o.gets != 4 { // the last for the first bytes of the object
		t.Errorf("%d requests for 3 ranges and the first bytes", o.gets)
	}
}
