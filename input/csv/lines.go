package csv

import (
	"bytes"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/input/lines"
	"github.com/bucketmill/bucketmill/internal/record"
)

// lineFormat is the format of rows that are lines.
type lineFormat struct{}

func (lineFormat) String() string { return "csv" }

// Parse implements input.Kind.
func (f lineFormat) Parse(name string) (input.Kind, error) { return parse(f, name) }

// Traits implements input.Kind.
func (lineFormat) Traits() input.Traits {
	return input.Traits{Text: true, Lines: true, Splittable: true}
}

// Check implements input.Kind.
func (lineFormat) Check(string, int64, int64) error { return nil }

// Reads implements input.Kind. The header shows the object's first bytes, too.
func (lineFormat) Reads(s input.Split, opts input.Options) (ranges int, head bool) {
	ranges, _ = s.StreamReads(lines.Stretch(s, opts), opts)
	if s.Offset > 0 {
		ranges++
	}
	return ranges, false
}

// Open implements input.Kind.
func (lineFormat) Open(in *input.Source) input.Records {
	return &rowLines{Lines: lines.Open(in), in: in}
}

// rowLines reads the lines of a CSV object after the first, which is the header.
type rowLines struct {
	*lines.Lines
	in     *input.Source
	known  bool
	header []byte
}

// Next implements input.Records.
func (c *rowLines) Next(b *record.Batch) error {
	if !c.known && c.in.Split.Offset > 0 {
		if err := c.readHeader(); err != nil {
			return err
		}
	}
	if err := c.Lines.Next(b); err != nil {
		if c.known {
			return err
		}
		return firstLineError(c.Lines, b, err)
	}
	if !c.known {
		n := lineLen(b.Data)
		if err := c.setHeader(b.Offset, b.Data[:n]); err != nil {
			return err
		}
		if b.Data = b.Data[n:]; len(b.Data) == 0 {
			return c.Next(b)
		}
		b.Offset += int64(n)
	}
	b.Header = c.header
	return c.checkQuotes(b.Offset, b.Data)
}

// readHeader reads the header for a split that does not begin with it.
func (c *rowLines) readHeader() error {
	first := lines.Open(c.in.Beginning())
	defer first.Close()
	var b record.Batch
	if err := first.Next(&b); err != nil {
		return firstLineError(first, &b, err)
	}
	return c.setHeader(0, b.Data[:lineLen(b.Data)])
}

// lineLen returns the length of the line that data starts with, with its end.
func lineLen(data []byte) int {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1
	}
	return len(data)
}

func (c *rowLines) setHeader(off int64, line []byte) error {
	if err := c.checkQuotes(off, line); err != nil {
		return err
	}
	h, err := header(c.object(), off, line)
	c.header, c.known = bytes.Clone(h), true
	return err
}

// checkQuotes fails for a line that ends inside quotes: it is part of a row of several lines. Data
// is whole lines, and begins at offset off.
func (c *rowLines) checkQuotes(off int64, data []byte) error {
	for at := 0; ; {
		i := bytes.IndexByte(data[at:], '"')
		if i < 0 {
			return nil
		}
		quote, end := at+i, len(data)
		if i := bytes.IndexByte(data[quote:], '\n'); i >= 0 {
			end = quote + i
		}
		if (quotes{}).walk(data, quote, end).open {
			return &input.FormatError{
				Object: c.object(),
				Offset: off + int64(bytes.LastIndexByte(data[:quote], '\n')+1),
				Reason: "a quoted field does not end on its line: read the object as csv-multiline if fields contain line ends, " +
					"or as text if quotes have no meaning",
			}
		}
		at = end
	}
}

// firstLineError returns the error if reading the first line, the header, into b failed with err.
func firstLineError(l *lines.Lines, b *record.Batch, err error) error {
	if len(b.Data) > 0 {
		return headerError(err, b.Offset, b.Data)
	}
	return headerError(err, l.Off, l.Rest)
}

func (c *rowLines) object() string { return c.in.Split.Input }
