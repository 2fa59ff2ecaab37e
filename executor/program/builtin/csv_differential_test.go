package builtin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
)

// csvFiles is how many files are compared with Python's csv module. They take about five seconds.
const csvFiles = 3000

// TestCSVIsPythons reads random files and compares the rows with those of Python's csv module. They
// must be the same, in the same order, with the right offsets. There must be an error exactly where
//
//   - the module, being strict, refuses a row: text follows a closed quote, or a quote is never closed;
//   - a CR is outside quotes, and more than CRs and an LF follows on its line;
//   - a row has an LF inside quotes, in the format csv;
//   - the first line is empty.
//
// The numbers and names of columns are not compared here.
func TestCSVIsPythons(t *testing.T) {
	const python = "python3"
	// Before 3.11 Python's csv module refuses NUL.
	nul := exec.CommandContext(t.Context(), python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))").Run() == nil
	files := generateCSV(csvFiles, nul)
	askOracle(t, python, files)
	refused := map[string]int{}
	for _, format := range []string{"csv", "csv-multiline"} {
		batches := make([][]record.Batch, len(files))
		for i := range files {
			var err error
			batches[i], err = readCSV(t, strconv.Itoa(i), files[i].data, format)
			// A row that is not well-formed may make framing fail, too: it may open a quote.
			if must := files[i].mustFail(format); must != (err != nil) && (must || files[i].bad < 0) {
				t.Fatalf("%.500q as %v: framing fails with %v", files[i].data, format, err)
			}
			if err != nil {
				batches[i] = nil
				refused[format]++
			}
		}
		decoded := decodeCSV(t, batches)
		for i, f := range files {
			if batches[i] != nil {
				f.compareFraming(t, format, decoded[strconv.Itoa(i)])
				f.compareDecoding(t, format, batches[i], decoded[strconv.Itoa(i)])
			}
		}
		mapGoodCSV(t, format, files, batches)
	}
	if n := refused["csv-multiline"]; n > csvFiles/2 {
		t.Errorf("%d of %d files have an error: that compares little", n, csvFiles)
	}
}

// mustFail reports whether framing must fail.
func (f *csvFile) mustFail(format string) bool {
	switch {
	case len(f.rows) > 0 && len(f.rows[0].fields) == 0:
		return true // the first line is empty
	case format == "csv":
		return f.over >= 0
	}
	return f.open
}

// readCSV returns the batches of a file. It checks that the records are the same with any splits.
func readCSV(t *testing.T, name string, data []byte, format string) ([]record.Batch, error) {
	t.Helper()
	batches, err := readSplits(t, name, data, format, int64(len(data)))
	if format != "csv" {
		return batches, err
	}
	rng := rand.New(rand.NewPCG(uint64(len(data)), 1))
	for range 2 {
		size := 1 + rng.Int64N(int64(len(data)+1))
		if len(data) > 1000 {
			size = max(size, int64(len(data)/5))
		}
		cut, cutErr := readSplits(t, name, data, format, size)
		if (err == nil) != (cutErr == nil) || err == nil && !slices.Equal(csvRecords(batches), csvRecords(cut)) {
			t.Fatalf("%q in splits of %d: %q, %v, want %q, %v", data, size, csvRecords(cut), cutErr, csvRecords(batches), err)
		}
	}
	return batches, err
}

func readSplits(t *testing.T, name string, data []byte, format string, size int64) ([]record.Batch, error) {
	t.Helper()
	get := func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data[offset:min(offset+length, int64(len(data)))])), nil
	}
	parsed, err := formats.Inputs.Parse(format, "")
	if err != nil {
		t.Fatal(err)
	}
	var batches []record.Batch
	s := input.Split{Input: name, Size: int64(len(data))}
	for ; s.Offset < s.Size; s.Offset += size {
		s.Length = min(size, s.Size-s.Offset)
		opts := input.Options{Format: parsed, Direct: true, RangeBytes: 7 + len(data)%50 + len(data)/20}
		r, err := input.Open(t.Context(), s, opts, get)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			var b *record.Batch
			if b, err = r.Next(); err == nil {
				kept := *b
				kept.Data, kept.Header = bytes.Clone(b.Data), bytes.Clone(b.Header)
				batches = append(batches, kept)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		switch {
		case errors.Is(err, input.ErrInput) && strings.Contains(err.Error(), name+": at byte "):
			return nil, err
		case !errors.Is(err, io.EOF):
			t.Fatalf("%q: %v", data, err)
		}
	}
	return batches, nil
}

func csvRecords(batches []record.Batch) []string {
	var records []string
	for i := range batches {
		for offset, r := range batches[i].Records() {
			records = append(records, fmt.Sprintf("%d %s after %s", offset, r, batches[i].Header))
		}
	}
	return records
}

// compareFraming compares the rows that Python's csv module finds in the records, one by one, with
// those that it finds in the file.
func (f *csvFile) compareFraming(t *testing.T, format string, decoded []decodedRow) {
	t.Helper()
	var all [][]string
	for _, row := range decoded {
		all = append(all, row.all...)
	}
	if want := f.all[min(1, len(f.all)):]; fmt.Sprintf("%q", all) != fmt.Sprintf("%q", want) {
		t.Fatalf("%.500q as %v: the records have the rows %.500q, want %.500q", f.data, format, all, want)
	}
}

// compareDecoding compares a file's rows with those of the runner and of the builtins.
func (f *csvFile) compareDecoding(t *testing.T, format string, batches []record.Batch, decoded []decodedRow) {
	t.Helper()
	if len(f.rows) == 0 {
		return // there is no header, or its decoder refuses it
	}
	want, most := f.rows[1:], math.MaxInt
	if f.bad >= 0 { // rows after the first refused one are not compared
		want = append(slices.Clone(want), csvRow{offset: f.bad})
		most = len(want)
	}
	var rows []csvRow
	for _, row := range decoded {
		rows = append(rows, row.csvRow)
	}
	for who, got := range map[string][]csvRow{"the runner's": rows, "the builtins'": builtinRows(batches)} {
		if got = got[:min(len(got), most)]; fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("%.500q as %v: %s rows are %.500q, want %.500q", f.data, format, who, got, want)
		}
	}
}

// builtinRows decodes batches as builtins do.
func builtinRows(batches []record.Batch) []csvRow {
	var rows []csvRow
	for i := range batches {
		reader := csvReader{cr: bytes.IndexByte(batches[i].Data, '\r') >= 0}
		for offset, record := range batches[i].Records() {
			if record = reader.trim(record); len(record) == 0 {
				continue
			}
			row := csvRow{offset: offset}
			if fields, err := reader.read(record); err == nil {
				row.fields = asStrings(fields)
			}
			rows = append(rows, row)
		}
	}
	return rows
}
