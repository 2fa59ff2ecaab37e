package input_test

import (
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/input"
)

// TestReads reads splits of all sizes around those of ranges, and counts the requests.
func TestReads(t *testing.T) {
	const length = 100 << 10 // of a range: more than what is read past a split's end
	o := newObject([]byte(strings.Repeat("line 678\n", 70_000)))
	for _, c := range []struct {
		name   string
		format input.Format
	}{
		{"k", asText},
		{"k", fixedOf(9)},
		{"k", asCSV},
		{"k", asRows},
	} {
		opts := input.Options{RangeBytes: length, ReadAheadBytes: 4 * length, Format: c.format}
		for _, offset := range []int64{0, 9, 9000, 2 * length} {
			for _, n := range []int64{9, length - 9, length, length + 9, 2*length - 1, 2 * length, 3*length + 1, int64(len(o.data)) - offset} {
				s := whole(c.name, o)
				if s.Offset, s.Length = offset, n; !c.format.Splittable(s.Input) {
					s.Offset, s.Length = 0, s.Size
				}
				ranges, head := s.Reads(opts)
				if head {
					ranges++
				}
				for _, opts.Direct = range []bool{false, true} {
					o.gets = 0
					if _, _, err := readOnce(t, o, s, opts); err != nil {
						t.Fatal(err)
					}
					if o.gets != ranges {
						t.Errorf("%v of %v, direct %v: %d requests, not %d", s, c.format, opts.Direct, o.gets, ranges)
					}
				}
			}
		}
	}
	if n, head := (input.Split{}).Reads(input.Options{Format: asText}); n != 0 || head {
		t.Errorf("an empty split: %d", n)
	}
}
