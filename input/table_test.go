package input_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/input/inputtest/blocks"
	"github.com/bucketmill/bucketmill/input/inputtest/columns"
	"github.com/bucketmill/bucketmill/internal/record"
)

// more is the table of all formats, with a line more for a columnar format and one for a splittable
// compression.
var more = input.Table{
	Kinds:        append(slices.Clip(formats.Inputs.Kinds), columns.Format{}),
	Compressions: append(slices.Clip(formats.Inputs.Compressions), blocks.Compression{}),
}

// readPlanned returns what keep returns for the records of an object that is planned and read in
// tasks of some bytes.
func readPlanned(t *testing.T, o *object, name string, opts input.Options, target int64, keep func(*record.Batch) []string) (all []string, splits int) {
	t.Helper()
	tasks, err := input.Plan([]input.Object{{URL: "s3://bucket/" + name, Size: o.size()}}, opts, target)
	if err != nil {
		t.Fatal(err)
	}
	for task := range tasks {
		for _, s := range task {
			splits++
			r, err := input.Open(t.Context(), s, opts, o.get)
			if err != nil {
				t.Fatal(err)
			}
			for err == nil {
				var b *record.Batch
				if b, err = r.Next(); err == nil {
					all = append(all, keep(b)...)
				}
			}
			if !errors.Is(err, io.EOF) || r.Progress() != s.Length || r.Close() != nil {
				t.Fatalf("%v ends with %v, progress %d", s, err, r.Progress())
			}
		}
	}
	if n := o.open(); n != 0 {
		t.Errorf("%d bodies are open", n)
	}
	return all, splits
}

// A columnar format reads its footer and its groups itself, and its records have keys.
func TestColumnarFormat(t *testing.T) {
	var rows []columns.Row
	var want []string
	for i := range 300 {
		row := columns.Row{Key: strings.Repeat("k", i%50), Value: fmt.Sprintf("value %d", i)}
		rows, want = append(rows, row), append(want, row.Key+"="+row.Value)
	}
	f, err := more.Parse("columns", "")
	if err != nil {
		t.Fatal(err)
	}
	o := newObject(columns.Encode(rows, 7))
	pairs := func(b *record.Batch) (all []string) {
		for key, value := range b.Pairs() {
			all = append(all, string(key)+"="+string(value))
		}
		return all
	}
	for target := int64(40); target < 2*o.size(); target += 1 + target/3 {
		got, splits := readPlanned(t, o, "table", input.Options{Format: f}, target, pairs)
		if !slices.Equal(got, want) || splits == 1 && target < o.size()*9/10 {
			t.Fatalf("%d splits of %d bytes: %d records, want %d", splits, target, len(got), len(want))
		}
	}
	if _, err := input.Plan([]input.Object{{URL: "x", Size: 3}}, input.Options{Format: f}, 0); !errors.Is(err, input.ErrInput) {
		t.Errorf("an object of 3 bytes: %v", err)
	}
	if _, err := more.Parse("parquet", ""); err == nil || !strings.Contains(err.Error(), "fixed:N or columns") {
		t.Errorf("an unknown format: %v", err)
	}
}

// Lines of an object that is compressed in blocks belong to one split each, wherever lines and
// blocks end.
func TestSplittableCompression(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	values := func(b *record.Batch) (all []string) {
		for _, value := range b.Records() {
			all = append(all, string(value)+" after "+string(b.Header))
		}
		return all
	}
	for range 150 {
		text := append([]byte("header\n"), randomText(rng, 400)...)
		data, err := blocks.Encode(text, 1+rng.IntN(40))
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range []string{"text", "csv", "fixed:1", "csv-multiline", "whole"} {
			f, err := more.Parse(format, "")
			if err != nil {
				t.Fatal(err)
			}
			opts := input.Options{Format: f, RangeBytes: 1 + rng.IntN(200), Direct: rng.IntN(2) == 0}
			plain, _ := readPlanned(t, newObject(text), "a", opts, 1<<20, values)
			target := int64(1 + rng.IntN(len(data)))
			got, splits := readPlanned(t, newObject(data), "a.blocks", opts, target, values)
			if !slices.Equal(got, plain) {
				t.Fatalf("%q as %v in %d splits of %d: %q, want %q", text, f, splits, target, got, plain)
			}
			if lines := f.Traits().Lines; splits > 1 && !lines || splits == 1 && lines && target < int64(len(data)/2) {
				t.Fatalf("%v is read in %d splits", f, splits)
			}
		}
		// Under another name, the split that begins at 0 has all records.
		f, err := more.Parse("text", "")
		if err != nil {
			t.Fatal(err)
		}
		plain, _ := readPlanned(t, newObject(text), "a", input.Options{Format: f}, 1<<20, values)
		if got, _ := readPlanned(t, newObject(data), "a.log", input.Options{Format: f}, 50, values); !slices.Equal(got, plain) {
			t.Fatalf("%q under another name: %q", text, got)
		}
	}
}

// What is wrong in the middle of a compressed object is reported by the splits that read it.
func TestBrokenBlocks(t *testing.T) {
	f, err := more.Parse("text", "")
	if err != nil {
		t.Fatal(err)
	}
	data, err := blocks.Encode(bytes.Repeat([]byte("a line\n"), 100), 50)
	if err != nil {
		t.Fatal(err)
	}
	o := newObject(data[:len(data)-3])
	s := whole("a.blocks", o)
	s.Offset, s.Length = s.Size/2, s.Size-s.Size/2
	if _, _, err := read(t, o, s, input.Options{Format: f}); !errors.Is(err, input.ErrInput) || !strings.Contains(err.Error(), "truncated blocks data") {
		t.Errorf("blocks that are cut off: %v", err)
	}
}
