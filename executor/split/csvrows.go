package split

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/bucketmill/bucketmill/mapred"
)

// csvRows frames the rows of a CSV object after its first, the header. A line end between
// quotes is part of the row. Every quote opens or closes: that is RFC 4180's rule for all
// well-formed rows, whatever separates their fields.
type csvRows struct {
	cursor
	object    string
	maxRecord int64
	scanned   int  // of rest, how many bytes are known to hold no end of a row
	quoted    bool // whether these end between quotes
	known     bool
	header    []byte
	block     []byte // encoded rows
}

func (c *csvRows) next(b *mapred.Batch) error {
	if !c.known {
		_, row, err := c.row()
		if err != nil {
			return err
		}
		c.header, c.known = bytes.Clone(row), true
	}
	off, row, err := c.row()
	if err != nil {
		return err
	}
	b.Framing = mapred.Encoded
	b.Offset = off
	b.Header = c.header
	c.block = c.block[:0]
	for {
		var key [8]byte
		binary.BigEndian.PutUint64(key[:], uint64(off))
		c.block = mapred.AppendRecord(c.block, key[:], row)
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

// row takes the next row. It returns its offset and its bytes without the line end, or io.EOF.
func (c *csvRows) row() (int64, []byte, error) {
	for {
		if n := c.whole(); n > 0 {
			return c.cut(n)
		}
		if int64(c.scanned) > c.maxRecord+1 {
			return 0, nil, c.tooLong(c.off)
		}
		switch err := c.more(); {
		case err == nil:
		case !errors.Is(err, io.EOF) || c.scanned == 0:
			return 0, nil, err
		case c.quoted:
			return 0, nil, &FormatError{Object: c.object, Offset: c.off, Reason: "a quote in this row is never closed"}
		default:
			return c.cut(c.scanned) // the last row has no line end
		}
	}
}

// cut takes n bytes, which are a row.
func (c *csvRows) cut(n int) (off int64, row []byte, err error) {
	off = c.off
	row = trimLineEnd(c.take(n))
	c.scanned, c.quoted = 0, false
	if int64(len(row)) > c.maxRecord {
		return 0, nil, c.tooLong(off)
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
		if bytes.Count(fresh[:i+1], quoteMark)%2 != 0 {
			c.quoted = !c.quoted
		}
		c.scanned += i + 1
		if fresh[i] == '\n' && !c.quoted {
			return c.scanned
		}
	}
	return 0
}

func (c *csvRows) tooLong(off int64) error {
	return &RecordTooLongError{Object: c.object, Offset: off, Limit: c.maxRecord}
}
