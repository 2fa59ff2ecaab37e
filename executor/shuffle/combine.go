package shuffle

import (
	"errors"
	"fmt"
	"io"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
)

// Combine says how several records of one key may become fewer. At most one field is set; the zero
// value combines nothing.
type Combine struct {
	// Columns, if not nil, says that a value is one integer per column and that the records of a
	// key become one record; its sums are exact whatever their size. Without columns, values are
	// empty and one record of each key is kept.
	Columns record.Columns
	// Dedup keeps one of several records with equal keys and values.
	Dedup bool
}

func (c *Combine) validate() error {
	if c.Columns != nil && c.Dedup {
		return errors.New("only one way to combine may be given")
	}
	for _, op := range c.Columns {
		if op < record.Sum || op > record.Max {
			return fmt.Errorf("unknown column operation %d", op)
		}
	}
	return nil
}

// Any reports whether c combines anything.
func (c *Combine) Any() bool { return c.Columns != nil || c.Dedup }

// sorted reports whether the records of one key are ordered by value.
func (c *Combine) sorted(sortValues bool) bool { return sortValues || c.Dedup }

// blockStream yields sorted records in blocks, each with the number of its records, then io.EOF on
// every call. A block is valid until the next call.
type blockStream interface {
	Next() (block []byte, records int, err error)
}

// combiner applies a Combine to one sorted stream after another and reuses its buffers.
type combiner struct {
	Combine
	columns columnsStream
	dedup   dedupStream
}

func newCombiner(c Combine, size int) *combiner {
	return &combiner{Combine: c, columns: columnsStream{
		columns: c.Columns, size: size,
		held: make([]record.Total, len(c.Columns)), totals: make([]record.Total, len(c.Columns)),
	}}
}

// stream returns in combined. The stream that it returned before ends.
func (c *combiner) stream(in blockStream) blockStream {
	switch {
	case c.Columns != nil:
		c.columns.in, c.columns.rest, c.columns.has = in, nil, false
		return &c.columns
	case c.Dedup:
		c.dedup.in, c.dedup.last = in, c.dedup.last[:0]
		return &c.dedup
	}
	return in
}

// write combines in and writes it as a partition's segment of f.
func (c *combiner) write(f *segfile.Writer, partition int, in blockStream) error {
	f.Begin(partition)
	in = c.stream(in)
	for {
		block, n, err := in.Next()
		if err == io.EOF {
			f.End()
			return nil
		}
		if err != nil {
			return err
		}
		if err := f.Add(block, n); err != nil {
			return err
		}
	}
}
