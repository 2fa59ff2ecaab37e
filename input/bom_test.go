package input_test

import (
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/input"
)

// TestByteOrderMark reads objects that begin with a byte order mark, in all formats and in splits
// of all sizes; some cut the mark itself.
func TestByteOrderMark(t *testing.T) {
	const bom = "\ufeff"
	for _, c := range []struct {
		name, text, format string
		header             string
		want               []located
	}{
		{"text", bom + "Paris\nRom\r\n", "text", "", []located{{3, "Paris"}, {9, "Rom"}}},
		{"an empty first line", bom + "\n\r\nx", "text", "", []located{{3, ""}, {4, ""}, {6, "x"}}},
		{"nothing else", bom, "text", "", nil},
		{"the mark twice", bom + bom + "a\n" + bom + "b", "text", "", []located{{3, bom + "a"}, {8, bom + "b"}}},
		{"half a mark", bom[:2] + "a\n", "text", "", []located{{0, bom[:2] + "a"}}},
		{"less than a mark", bom[:1], "text", "", []located{{0, bom[:1]}}},
		{"JSON lines", bom + "{\"a\":1}\n[]\n", "jsonl", "", []located{{3, `{"a":1}`}, {11, "[]"}}},
		{"CSV", bom + "city,n\r\nParis,3\nRom,4", "csv", "city,n", []located{{11, "Paris,3"}, {19, "Rom,4"}}},
		{"a quoted header", bom + "\"a\",b\n1,2\n", "csv", `"a",b`, []located{{9, "1,2"}}},
		{"a header alone", bom + "a,b\n", "csv", "", nil},
		{"no header", bom, "csv", "", nil},
		{"rows", bom + "\"a\nb\",c\n1,2\n", "csv-multiline", "\"a\nb\",c", []located{{11, "1,2"}}},
		{"no rows", bom, "csv-multiline", "", nil},
		{"as it is", bom + "a\n", "whole", "", []located{{0, bom + "a\n"}}},
		{"a record of its own", bom + "abc", "fixed:3", "", []located{{0, bom}, {3, "abc"}}},
	} {
		f := parse(t, c.format)
		for name, data := range map[string][]byte{
			"x":     []byte(c.text),
			"x.gz":  gzipped(t, c.text),
			"y.gz":  gzipped(t, c.text[:1], c.text[1:]), // two members: the mark begins the object, not each member
			"x.zst": zstded(t, c.text),
		} {
			o := newObject(data)
			for size := int64(1); size <= int64(len(c.text)); size++ {
				if !f.Splittable(name) {
					size = o.size()
				}
				for length := 1; length <= 12; length++ {
					opts := input.Options{Format: f, RangeBytes: length}
					if f == asText { // the mark does not count as part of the first line
						opts.MaxRecord = longest(c.want)
					}
					got, err := readCut(t, name, o, size, opts)
					if err != nil {
						t.Errorf("%s: %q as %v in splits of %d: %v", c.name, name, f, size, err)
					} else if d := diff(got, c.want); d != "" {
						t.Errorf("%s: %q as %v in splits of %d: %s", c.name, name, f, size, d)
					}
				}
			}
			if _, header, err := read(t, o, whole(name, o), input.Options{Format: f}); err != nil || header != c.header {
				t.Errorf("%s: the header is %q, not %q: %v", c.name, header, c.header, err)
			}
		}
	}
}

// TestLaterHeader reads splits that must fetch the header of a CSV object with a byte order mark.
func TestLaterHeader(t *testing.T) {
	o := newObject([]byte("\ufeffcity,n\n" + strings.Repeat("Paris,3\n", 20)))
	for offset := int64(1); offset < 40; offset++ {
		s := whole("x.csv", o)
		s.Offset, s.Length = offset, s.Size-offset
		if _, header, err := read(t, o, s, input.Options{Format: asCSV}); err != nil || header != "city,n" {
			t.Errorf("from byte %d on the header is %q: %v", offset, header, err)
		}
	}
}

// longest returns the length of the longest record, in bytes.
func longest(records []located) int64 {
	n := 1
	for _, r := range records {
		n = max(n, len(r.data))
	}
	return int64(n)
}
