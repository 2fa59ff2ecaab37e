package split

import (
	"bytes"

	"github.com/bucketmill/bucketmill/mapred"
)

// csvLines frames the lines of a CSV object after its first, the header.
type csvLines struct {
	lines
	first  bool // the header is the first of lines, else it is to be fetched
	known  bool
	header []byte
	fetch  func() ([]byte, error) // the object's first line
}

func (c *csvLines) next(b *mapred.Batch) error {
	if !c.known && !c.first {
		line, err := c.fetch()
		if err != nil {
			return err
		}
		if err := c.setHeader(line); err != nil {
			return err
		}
	}
	if err := c.lines.next(b); err != nil {
		return err
	}
	if !c.known {
		n := bytes.IndexByte(b.Data, '\n') + 1
		if n == 0 {
			n = len(b.Data)
		}
		if err := c.setHeader(b.Data[:n]); err != nil {
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

func (c *csvLines) setHeader(line []byte) error {
	c.header, c.known = bytes.Clone(trimLineEnd(line)), true
	return c.checkQuotes(0, line)
}

// checkQuotes fails for a line with an odd number of quotes: it is part of a row that goes
// over several lines. Data starts at offset off.
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
		if bytes.Count(data[quote:end], quoteMark)%2 != 0 {
			return &FormatError{
				Object: c.object,
				Offset: off + int64(bytes.LastIndexByte(data[:quote], '\n')+1),
				Reason: "a line with an odd number of quotes: read it as csv-multiline if fields hold line ends, " +
					"or as text if quotes mean nothing",
			}
		}
		at = end
	}
}

var quoteMark = []byte{'"'}

// trimLineEnd returns line without LF or CRLF at its end.
func trimLineEnd(line []byte) []byte {
	if trimmed, ok := bytes.CutSuffix(line, []byte{'\n'}); ok {
		return bytes.TrimSuffix(trimmed, []byte{'\r'})
	}
	return line
}
