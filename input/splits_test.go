package input_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/input"
)

// oracle finds the records of an object in the simplest way.
func oracle(data []byte, f input.Format) []located {
	var records []located
	if n := recordLen(f); n > 0 {
		for i := 0; i < len(data); i += n {
			records = append(records, located{int64(i), string(data[i : i+n])})
		}
		return records
	}
	at := 0
	if rest, marked := bytes.CutPrefix(data, []byte("\ufeff")); marked {
		at, data = 3, rest
	}
	for line := range strings.Lines(string(data)) {
		text := line
		if strings.HasSuffix(text, "\r\n") {
			text = text[:len(text)-2]
		} else if strings.HasSuffix(text, "\n") {
			text = text[:len(text)-1]
		}
		records = append(records, located{int64(at), text})
		at += len(line)
	}
	if f.Kind == asCSV.Kind && len(records) > 0 {
		records = records[1:]
	}
	return records
}

func diff(got, want []located) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("record %d is missing: %v", i, want[i])
		case i >= len(want):
			return fmt.Sprintf("record %d is too much: %v", i, got[i])
		case got[i] != want[i]:
			return fmt.Sprintf("record %d is %v, want %v", i, got[i], want[i])
		}
	}
	return ""
}

// randomText returns up to n bytes, with frequent or rare line ends of all kinds.
func randomText(rng *rand.Rand, n int) []byte {
	alphabets := []string{"ab\n", "abcdefghijklmnop\r\n", "\r\n", "ä€\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "a"}
	alphabet := []byte(alphabets[rng.IntN(len(alphabets))])
	data := make([]byte, rng.IntN(n+1))
	for i := range data {
		data[i] = alphabet[rng.IntN(len(alphabet))]
	}
	if rng.IntN(4) == 0 {
		data = append([]byte("\ufeff"), data...)
	}
	return data
}

// TestSplitsGiveTheSameRecords holds the promise of the package: for any cut and any length of the
// reads, the same records come, in the same order.
func TestSplitsGiveTheSameRecords(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		data := randomText(rng, 120)
		f := []input.Format{asText, asJSONL, asCSV}[rng.IntN(3)]
		if rng.IntN(4) == 0 {
			n := 1 + rng.IntN(12)
			f, data = fixedOf(n), data[:len(data)-len(data)%n]
		}
		if f == asCSV { // a random header may be refused
			data = slices.Concat([]byte("h\n"), data)
		}
		opts := input.Options{
			Format:         f,
			RangeBytes:     1 + rng.IntN(20),
			ReadAheadBytes: int64(2 + rng.IntN(60)),
		}
		size := int64(1 + rng.IntN(len(data)+2))
		got, err := readCut(t, "x", newObject(data), size, opts)
		if err != nil {
			t.Fatalf("%q in splits of %d, %+v: %v", data, size, opts, err)
		}
		if d := diff(got, oracle(data, f)); d != "" {
			t.Fatalf("%q in splits of %d, %+v: %s", data, size, opts, d)
		}
	}
}

// TestEverySplitSize tries all sizes of splits and ranges for texts with difficult ends.
func TestEverySplitSize(t *testing.T) {
	for _, text := range []string{
		"", "\n", "\r\n", "\r", "a", "a\n", "a\r\n", "a\r", "\n\n\n", "a\n\nb", "\na",
		"a\rb\r\nc\r\r\n", "grüße\n€\nüber\n", "\xef\xbb\xbfbom\nx\n", "\x00\xff\n\xfe",
		"a line over many splits\nb\n",
	} {
		o := newObject([]byte(text))
		want := oracle(o.data, asText)
		for size := 1; size <= len(text); size++ {
			for length := 1; length <= len(text)+1; length++ {
				opts := input.Options{Format: asText, RangeBytes: length, ReadAheadBytes: 2 * int64(length)}
				got, err := readCut(t, "x", o, int64(size), opts)
				if err != nil {
					t.Fatalf("%q, splits of %d, ranges of %d: %v", text, size, length, err)
				}
				if d := diff(got, want); d != "" {
					t.Fatalf("%q, splits of %d, ranges of %d: %s", text, size, length, d)
				}
			}
		}
	}
}

// TestLargeSplits does the same with real sizes: several views in a range, and lines longer than a
// view, a range and a split.
func TestLargeSplits(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var data []byte
	for len(data) < 4<<20 {
		n := rng.IntN(200)
		if rng.IntN(2000) == 0 {
			n = rng.IntN(2 << 20)
		}
		data = append(data, bytes.Repeat([]byte{'a' + byte(rng.IntN(26))}, n)...)
		data = append(data, '\n')
	}
	o := newObject(data)
	want := oracle(data, asText)
	for _, c := range []struct {
		size   int64
		length int
	}{{6 << 20, 8 << 20}, {1 << 20, 8 << 20}, {1<<20 + 1, 1 << 20}, {700_000, 300_000}, {100 << 20, 70_000}} {
		got, err := readCut(t, "x", o, c.size, input.Options{Format: asText, RangeBytes: c.length})
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(got, want); d != "" {
			t.Errorf("splits of %d, ranges of %d: %s", c.size, c.length, d)
		}
	}
}

// TestRowsOverLines compares with encoding/csv.
func TestRowsOverLines(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	fields := []string{"", "a", "two words", "with \"quotes\"", "a,b", "two\nlines", "\n\n", "cr\r\nlf", "\"", "ünï"}
	for range 1000 {
		var buf bytes.Buffer
		w := csv.NewWriter(&buf)
		w.UseCRLF = rng.IntN(2) == 0
		for range rng.IntN(12) {
			// A second field, since encoding/csv skips empty lines.
			row := []string{fields[rng.IntN(len(fields))], fields[rng.IntN(len(fields))]}
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		data := buf.Bytes()
		if rng.IntN(2) == 0 {
			data = bytes.TrimSuffix(data, []byte{'\n'})
		}
		want, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		opts := input.Options{Format: asRows, RangeBytes: 1 + rng.IntN(20)}
		o := newObject(data)
		records, header, err := read(t, o, whole("x.csv", o), opts)
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		got := [][]string{}
		if len(records) > 0 {
			got = append(got, parseRow(t, header))
		}
		for _, r := range records {
			if !strings.HasPrefix(string(data[r.offset:]), r.data) {
				t.Fatalf("%q: row %q is not at %d", data, r.data, r.offset)
			}
			got = append(got, parseRow(t, r.data))
		}
		if len(want) == 1 { // the header alone
			want = want[:0]
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("%q: got %q, want %q", data, got, want)
		}
	}
}

func parseRow(t *testing.T, row string) []string {
	t.Helper()
	fields, err := csv.NewReader(strings.NewReader(row)).Read()
	if err != nil {
		t.Fatalf("row %q: %v", row, err)
	}
	return fields
}

// FuzzSplits cuts any bytes anywhere.
func FuzzSplits(f *testing.F) {
	f.Add([]byte("a\nb\r\n\nlonger line\nno end"), uint16(3), uint8(2), uint8(0))
	f.Add([]byte("\r\n\r\r\n\n\r"), uint16(1), uint8(1), uint8(0))
	f.Add([]byte("h\na\nb\n"), uint16(1), uint8(1), uint8(1))
	f.Add([]byte("abcdefgh"), uint16(3), uint8(5), uint8(2))
	f.Add([]byte("\ufeffh\n\ufeffa\n"), uint16(2), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, size uint16, length, kind uint8) {
		format := asText
		switch kind % 3 {
		case 1:
			format = asCSV
			data = slices.Concat([]byte("h\n"), bytes.ReplaceAll(data, []byte{'"'}, []byte{'\''}))
		case 2:
			n := 1 + int(kind)/3
			format, data = fixedOf(n), data[:len(data)-len(data)%n]
		}
		// Few splits, so that a run is short.
		cut := max(int64(size), int64(len(data)/100), 1)
		opts := input.Options{Format: format, RangeBytes: 1 + int(length)}
		got, err := readCut(t, "x", newObject(data), cut, opts)
		if bad := (*input.FormatError)(nil); errors.As(err, &bad) { // it begins like something that is not text
			if _, err := readCut(t, "x", newObject(data), int64(len(data)), opts); !errors.As(err, &bad) {
				t.Fatalf("%v, but %v if it is not cut", bad, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(got, oracle(data, format)); d != "" {
			t.Fatal(d)
		}
	})
}
