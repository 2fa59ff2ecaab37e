package shuffle

import (
	"errors"
	"fmt"
	"io"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
)

// Combine says how records of one key may become fewer. At most one of its fields is set; the zero
// value combines nothing.
type Combine struct {
	// Columns, when not nil, says that values are that many integers, and records of one key
	// become one, whose sums are exact whatever their size. With no columns values are empty, and one record is kept of each key.
	Columns record.Columns
	// Dedup keeps one of the records that are equal in key and value.
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

// Any reports whether it combines at all.
func (c *Combine) Any() bool { return c.Columns != nil || c.Dedup }

// sorted reports whether records of one key are to be kept in the order of their values.
func (c *Combine) sorted(sortValues bool) bool { return sortValues || c.Dedup }

// A blockStream yields sorted records in blocks, each with the number of its records, and io.EOF at
// the end and ever after. A block is valid until the next call.
type blockStream interface {
	Next() (block []byte, records int, err error)
}

// combiner applies a Combine to one sorted stream after the other. It keeps its buffers for the next.
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

// stream returns in, combined as Combine says, and ends the stream before.
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

// write writes in, combined, as a partition's segment of f.
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

// quote renders a key for an error message, cut to a readable length.
func quote(key []byte) string {
	const most = 64
	if len(key) > most {
		return fmt.Sprintf("%q... (%d bytes)", key[:most], len(key))
	}
	return fmt.Sprintf("%q", key)
}
