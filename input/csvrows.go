package input

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/bucketmill/bucketmill/internal/record"
)

// csvRows frames the rows of a CSV object after its first, the header. A line end between
// quotes is part of the row.
type csvRows struct {
	cursor
	object    string
	maxRecord int64
	scanned   int    // of rest, how many bytes are known to hold no end of a row
	quotes    quotes // after these
	known     bool
	header    []byte
	block     []byte // encoded rows
}

func (c *csvRows) next(b *record.Batch) error {
	if !c.known {
		off, row, err := c.row()
		if err != nil {
			return headerError(err, off, row)
		}
		header, err := csvHeader(c.object, off, row)
		if err != nil {
			return err
		}
		c.header, c.known = bytes.Clone(header), true
	}
	off, row, err := c.row()
	if err != nil {
		return err
	}
	b.Framing = record.Encoded
	b.Offset = off
	b.Header = c.header
	c.block = c.block[:0]
	for {
		var key [8]byte
		binary.BigEndian.PutUint64(key[:], uint64(off))
		c.block = record.Append(c.block, key[:], row)
		if len(c.block) >= viewBytes {
			break
		}
		// What is left of the view, so that no read is waited for.
		n := c.whole()
		if n == 0 {
			break
		}
		if off, row, err = c.cut(n); err != nil {
			return err
		}
	}
	b.Data = c.block
	return nil
}

// row takes the next row. It returns its offset and its bytes without the line end, or io.EOF. With a
// RecordTooLongError it returns what was read of the row.
func (c *csvRows) row() (int64, []byte, error) {
	for {
		if n := c.whole(); n > 0 {
			return c.cut(n)
		}
		if int64(c.scanned) > c.maxRecord+1 {
			return c.off, c.rest, c.tooLongQuoted()
		}
		switch err := c.more(); {
		case err == nil:
		case !errors.Is(err, io.EOF) || c.scanned == 0:
			return 0, nil, err
		case c.quotes.open:
			return 0, nil, &FormatError{
				Object: c.object, Offset: c.off,
				Reason: "a quote in this row is never closed: close it, or read the object as text if quotes mean nothing",
			}
		default:
			return c.cut(c.scanned) // the last row has no line end
		}
	}
}

// cut takes n bytes, which are a row, and returns what row does.
func (c *csvRows) cut(n int) (off int64, row []byte, err error) {
	off = c.off
	row = trimLineEnd(c.take(n))
	c.scanned, c.quotes = 0, quotes{}
	if int64(len(row)) > c.maxRecord {
		return off, row, c.tooLong(off)
	}
	return off, row, nil
}

// whole returns the length of the row that rest starts with, or 0 if its end is not there.
func (c *csvRows) whole() int {
	for c.scanned < len(c.rest) {
		fresh := c.rest[c.scanned:]
		i := bytes.IndexByte(fresh, '\n')
		if i < 0 {
			i = len(fresh) - 1
		}
		if quote := bytes.IndexByte(fresh[:i+1], '"'); quote >= 0 {
			c.quotes = c.quotes.walk(c.rest, c.scanned+quote, c.scanned+i+1)
		}
		c.scanned += i + 1
		if fresh[i] == '\n' && !c.quotes.open {
			return c.scanned
		}
	}
	return 0
}

func (c *csvRows) tooLong(off int64) error {
	return &RecordTooLongError{Object: c.object, Offset: off, Limit: c.maxRecord}
}

// tooLongQuoted is tooLong for the row that rest starts with, and says if an open quote may be why it has no end.
func (c *csvRows) tooLongQuoted() error {
	err := c.tooLong(c.off)
	if c.quotes.open {
		return &FormatError{Object: c.object, Offset: c.off, Reason: "a quote in this row may not be closed", Err: err}
	}
	return err
}
