package input

import (
	"bytes"

	"github.com/bucketmill/bucketmill/internal/record"
)

// csvLines frames the lines of a CSV object after its first, the header.
type csvLines struct {
	lines
	first  bool   // the header is the first of lines
	line   []byte // else: the object's first line
	known  bool
	header []byte
}

func (c *csvLines) next(b *record.Batch) error {
	if !c.known && !c.first {
		if err := c.setHeader(0, c.line); err != nil {
			return err
		}
	}
	if err := c.lines.next(b); err != nil {
		if c.known {
			return err
		}
		return c.firstLineError(b, err)
	}
	if !c.known {
		n := bytes.IndexByte(b.Data, '\n') + 1
		if n == 0 {
			n = len(b.Data)
		}
		if err := c.setHeader(b.Offset, b.Data[:n]); err != nil {
			return err
		}
		if b.Data = b.Data[n:]; len(b.Data) == 0 {
			return c.next(b)
		}
		b.Offset += int64(n)
	}
	b.Header = c.header
	return c.checkQuotes(b.Offset, b.Data)
}

func (c *csvLines) setHeader(off int64, line []byte) error {
	if err := c.checkQuotes(off, line); err != nil {
		return err
	}
	header, err := csvHeader(c.object, off, line)
	c.header, c.known = bytes.Clone(header), true
	return err
}

// checkQuotes fails for a line that ends inside quotes: it is part of a row that goes over several lines.
// Data is whole lines from offset off on.
func (c *csvLines) checkQuotes(off int64, data []byte) error {
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
			return &FormatError{
				Object: c.object,
				Offset: off + int64(bytes.LastIndexByte(data[:quote], '\n')+1),
				Reason: "a quoted field does not end on its line: read it as csv-multiline if fields hold line ends, " +
					"or as text if quotes mean nothing",
			}
		}
		at = end
	}
}

// firstLineError returns what is to be said if next(b) failed with err for the lines that a header comes first of.
func (l *lines) firstLineError(b *record.Batch, err error) error {
	if len(b.Data) > 0 {
		return headerError(err, b.Offset, b.Data)
	}
	return headerError(err, l.off, l.rest)
}
