package csv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
)

// rowFormat is the format of rows whose quoted fields may contain line ends. An object is not
// split: nothing in its middle shows what is inside quotes.
type rowFormat struct{}

func (rowFormat) String() string { return "csv-multiline" }

// Parse implements input.Kind.
func (f rowFormat) Parse(name string) (input.Kind, error) { return parse(f, name) }

// Traits implements input.Kind.
func (rowFormat) Traits() input.Traits { return input.Traits{Text: true} }

// Check implements input.Kind.
func (rowFormat) Check(string, int64, int64) error { return nil }

// Reads implements input.Kind.
func (rowFormat) Reads(s input.Split, opts input.Options) (ranges int, head bool) {
	return s.StreamReads(s.WholeObject(), opts)
}

// Open implements input.Kind.
func (rowFormat) Open(in *input.Source) input.Records {
	return &rows{Stream: in.Stream(in.Split.WholeObject()), object: in.Split.Input, maxRecord: in.Options.MaxRecord}
}

// rows reads the rows of an object after the first, which is the header. A line end inside quotes
// is part of the row.
type rows struct {
	input.Stream
	object    string
	maxRecord int64
	scanned   int    // how many bytes of Rest are known to have no end of a row
	quotes    quotes // the state after these bytes
	known     bool
	header    []byte
	block     []byte // encoded rows
}

// Next implements input.Records.
func (c *rows) Next(b *record.Batch) error {
	if !c.known {
		if err := c.Text(); err != nil {
			return err
		}
		off, row, err := c.row()
		if err != nil {
			return headerError(err, off, row)
		}
		h, err := header(c.object, off, row)
		if err != nil {
			return err
		}
		c.header, c.known = bytes.Clone(h), true
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
		if len(c.block) >= batchBytes {
			break
		}
		// Only rows that have arrived, so that the batch does not wait for a read.
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

// batchBytes is the size of a batch, about.
const batchBytes = 1 << 20

// row takes the next row. It returns the row's offset and its bytes without the line end, or
// io.EOF. With a RecordTooLongError it returns what was read of the row.
func (c *rows) row() (int64, []byte, error) {
	for {
		if n := c.whole(); n > 0 {
			return c.cut(n)
		}
		if int64(c.scanned) > c.maxRecord+1 {
			return c.Off, c.Rest, c.tooLongQuoted()
		}
		switch err := c.More(); {
		case err == nil:
		case !errors.Is(err, io.EOF) || c.scanned == 0:
			return 0, nil, err
		case c.quotes.open:
			return 0, nil, &input.FormatError{
				Object: c.object, Offset: c.Off,
				Reason: "a quote in this row is never closed: close it, or read the object as text if quotes have no meaning",
			}
		default:
			return c.cut(c.scanned) // the last row has no line end
		}
	}
}

// cut takes a row of n bytes, and returns what row returns.
func (c *rows) cut(n int) (off int64, row []byte, err error) {
	off = c.Off
	row = trimLineEnd(c.Take(n))
	c.scanned, c.quotes = 0, quotes{}
	if int64(len(row)) > c.maxRecord {
		return off, row, c.tooLong(off)
	}
	return off, row, nil
}

// whole returns the length of the row at the start of Rest, or 0 if its end has not arrived.
func (c *rows) whole() int {
	for c.scanned < len(c.Rest) {
		fresh := c.Rest[c.scanned:]
		i := bytes.IndexByte(fresh, '\n')
		if i < 0 {
			i = len(fresh) - 1
		}
		if quote := bytes.IndexByte(fresh[:i+1], '"'); quote >= 0 {
			c.quotes = c.quotes.walk(c.Rest, c.scanned+quote, c.scanned+i+1)
		}
		c.scanned += i + 1
		if fresh[i] == '\n' && !c.quotes.open {
			return c.scanned
		}
	}
	return 0
}

func (c *rows) tooLong(off int64) error {
	return &input.RecordTooLongError{Object: c.object, Offset: off, Limit: c.maxRecord}
}

// tooLongQuoted is tooLong for the row at the start of Rest. It says if an open quote may be the
// reason.
func (c *rows) tooLongQuoted() error {
	err := c.tooLong(c.Off)
	if c.quotes.open {
		return &input.FormatError{Object: c.object, Offset: c.Off, Reason: "a quote in this row may not be closed", Err: err}
	}
	return err
}
