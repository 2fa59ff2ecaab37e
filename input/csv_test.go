package input_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/input"
)

// csvObject is a CSV object and what must come of it: rows, or a FormatError at a byte with some
// words.
type csvObject struct {
	text string
	rows []located
	at   int64
	says string
}

// sound are objects whose rows are lines, so both formats give the same.
var sound = []csvObject{
	{text: "h\n5\" pipe,3\nnut,1\n6\" pipe,4\n", rows: []located{{2, `5" pipe,3`}, {12, "nut,1"}, {18, `6" pipe,4`}}},
	{text: "h\na\"b\"\"\",\"c\"\n1", rows: []located{{2, `a"b""","c"`}, {13, "1"}}},
	{text: "h\n\"a\",\"b \"\"c\"\"\"\n\"\",1", rows: []located{{2, `"a","b ""c"""`}, {16, `"",1`}}},
	{text: "h\n\"\"\"\"\n\"\"\"x\"\"\"\n\"x\"y\"z\n", rows: []located{{2, `""""`}, {7, `"""x"""`}, {15, `"x"y"z`}}},
	{text: "5\" h,\"b,\"\"\"\r\n ,\"\r\"\r\n", rows: []located{{13, " ,\"\r\""}}},
	{text: "h\n1,a\rb\n2\r\r\n3\r", rows: []located{{2, "1,a\rb"}, {8, "2\r"}, {12, "3\r"}}},
	{text: "\"a\rb\",c\n1,2\n", rows: []located{{8, "1,2"}}},
	{text: "\ufeff\"id\",\"5\"\"\"\r\n\ufeff\"1,2\"\n", rows: []located{{15, "\ufeff\"1,2\""}}},
	{text: "h\r", rows: nil},
	{text: "h\r\r\n1\n", rows: []located{{4, "1"}}},
}

// unsound are objects that neither format can read.
var unsound = []csvObject{
	{text: "id,note\r1,a\r2,b\r", says: "carriage return"},
	{text: "\"id\",\"note\"\r\"1\",\"a\"\r\n\"2\",\"b\"\n", says: "carriage return"},
	{text: "a\r\rb\n1\n", says: "carriage return"},
	{text: "\ufeffid\r1\r", at: 3, says: "carriage return"},
	{text: "\n1,2\n", says: "the first line is empty"},
	{text: "\ufeff\n1,2\n", at: 3, says: "the first line is empty"},
	{text: "\r\r\n1,2\n", says: "the first line is empty"},
	{text: "h\n1,2\n\"never\nclosed\n", at: 6, says: "close"},
	{text: "h\n1,2\n1,\"never\"\"", at: 6, says: "close"},
	{text: "h\nx\r\"a\n", at: 2, says: "close"},
}

// overLines are objects that csv refuses and csv-multiline reads.
var overLines = []csvObject{
	{text: "h\na,\"two\nlines\"\n", at: 2, rows: []located{{2, "a,\"two\nlines\""}}},
	{text: "\ufeff\"a header\nof two\",b\n1,2", at: 3, rows: []located{{23, "1,2"}}},
	{text: "\"a header\nof two\",b\n1,2", at: 0, rows: []located{{20, "1,2"}}},
	{text: "h\nb\n1,\"a\"\"\n\"\"\n\"\n2\"\n\"x\"", at: 4, rows: []located{{2, "b"}, {4, "1,\"a\"\"\n\"\"\n\""}, {16, "2\""}, {19, "\"x\""}}},
	{text: "h\nx\r\"a\nb\"\n", at: 2, rows: []located{{2, "x\r\"a\nb\""}}},
}

func TestCSV(t *testing.T) {
	for _, kind := range []input.Format{asCSV, asRows} {
		for _, c := range sound {
			c.check(t, kind)
		}
		for _, c := range unsound {
			if kind == asCSV && c.says == "close" {
				c.says = "csv-multiline"
			}
			c.check(t, kind)
		}
		for _, c := range overLines {
			if kind == asCSV {
				c.rows, c.says = nil, "csv-multiline"
			}
			c.check(t, kind)
		}
	}
}

// check reads the object in splits and ranges of all sizes.
func (c csvObject) check(t *testing.T, kind input.Format) {
	t.Helper()
	opts := input.Options{Format: kind}
	o := newObject([]byte(c.text))
	for opts.RangeBytes = range len(c.text) + 1 {
		for size := 1; size <= len(c.text); size++ {
			if kind == asRows && size < len(c.text) {
				continue // never cut
			}
			rows, err := readCut(t, "x.csv", o, int64(size), opts)
			var bad *input.FormatError
			switch {
			case c.says == "" && err != nil:
				t.Errorf("%q as %v, %d in ranges of %d: %v", c.text, kind, size, opts.RangeBytes, err)
			case c.says == "":
				if d := diff(rows, c.rows); d != "" {
					t.Errorf("%q as %v, %d in ranges of %d: %s", c.text, kind, size, opts.RangeBytes, d)
				}
			case !errors.As(err, &bad) || !errors.Is(err, input.ErrInput) || !strings.Contains(bad.Reason, c.says):
				t.Errorf("%q as %v, %d in ranges of %d: %v, not %q", c.text, kind, size, opts.RangeBytes, err, c.says)
			case bad.Offset != c.at && size == len(c.text):
				t.Errorf("%q as %v: %v at %d, not at %d", c.text, kind, err, bad.Offset, c.at)
			}
		}
	}
}

// If a row is too long because a quote is not closed, the error says both.
func TestLongRowInQuotes(t *testing.T) {
	opts := input.Options{Format: asRows, MaxRecord: 10, RangeBytes: 5}
	o := newObject([]byte("h\n1\n\"2\n" + strings.Repeat("3\n", 20)))
	_, err := readCut(t, "x.csv", o, int64(len(o.data)), opts)
	var long *input.RecordTooLongError
	if !errors.As(err, &long) || long.Offset != 4 || !strings.Contains(err.Error(), "a quote in this row may not be closed") {
		t.Error(err)
	}
}

// If CRs end the rows of an object, its header is too long, but the error names the CRs.
func TestHeaderOfAllRows(t *testing.T) {
	for _, kind := range []input.Format{asCSV, asRows} {
		for _, end := range []string{"", "\n", "\nx\n"} {
			o := newObject([]byte("\ufeffid,note\r1,a\r2,b" + end))
			for length := range len(o.data) {
				_, err := readCut(t, "x.csv", o, int64(len(o.data)), input.Options{Format: kind, MaxRecord: 10, RangeBytes: length})
				if !errors.Is(err, input.ErrInput) || !strings.Contains(fmt.Sprint(err), "carriage return") {
					t.Errorf("%v ended by %q in ranges of %d: %v", kind, end, length, err)
				}
			}
		}
		o := newObject([]byte("id\r\n12345678901\r\n"))
		_, err := readCut(t, "x.csv", o, int64(len(o.data)), input.Options{Format: kind, MaxRecord: 10})
		var long *input.RecordTooLongError
		if !errors.As(err, &long) || long.Offset != 4 {
			t.Errorf("%v: %v", kind, err)
		}
	}
}
