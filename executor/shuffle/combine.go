package shuffle

import (
	"bytes"
	"errors"
	"fmt"
	"io"

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
	// Func is any combiner. It is given the sorted records of one partition, must read all of them,
	// and emits what should stand in their place: keys that it was given, in their order. It is
	// called, possibly several times for what it has emitted itself, whenever a run is written, and
	// not by the last merge that a reducer reads.
	Func func(in *record.Groups, out *record.Emitter) error
}

func (c *Combine) validate(sortValues bool) error {
	n := 0
	if c.Columns != nil {
		n++
	}
	if c.Dedup {
		n++
	}
	if c.Func != nil {
		n++
		if sortValues {
			return errors.New("a combiner function cannot keep values sorted")
		}
	}
	if n > 1 {
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
func (c *Combine) Any() bool { return c.Columns != nil || c.Dedup || c.Func != nil }

// sorted reports whether records of one key are to be kept in the order of their values.
func (c *Combine) sorted(sortValues bool) bool { return sortValues || c.Dedup }

// combiner applies a Combine to one sorted stream after the other. It keeps its buffers for the next.
type combiner struct {
	Combine
	size    int // of blocks, in bytes
	columns columnsStream
	dedup   dedupStream

	// What follows is for Func.
	emitter *record.Emitter
	out     *fileWriter
	check   func(key []byte) error // of a key that Func emits; may be nil
	last    []byte
	begun   bool
}

func newCombiner(c Combine, size int) *combiner {
	b := &combiner{Combine: c, size: size}
	b.columns = columnsStream{
		columns: c.Columns, size: size,
		held: make([]record.Total, len(c.Columns)), totals: make([]record.Total, len(c.Columns)),
	}
	b.emitter = record.NewEmitter(size, b.emitted)
	return b
}

// stream returns in, combined as Columns and Dedup say, and ends the stream before.
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

// write combines all of in into the current segment of f. The check, if any, says what is wrong with
// a key that Func emits.
func (c *combiner) write(f *fileWriter, in blockStream, check func(key []byte) error) error {
	in = c.stream(in)
	if c.Func != nil {
		c.out, c.check, c.last, c.begun = f, check, c.last[:0], false
		return c.call(in)
	}
	for {
		block, n, err := in.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f.add(block, n); err != nil {
			return err
		}
	}
}

// call runs Func over in.
func (c *combiner) call(in blockStream) error {
	groups := record.NewGroups(func() ([]byte, error) {
		block, _, err := in.next()
		return block, err
	})
	if err := c.Func(groups, c.emitter); err != nil {
		return fmt.Errorf("combine: %w", err)
	}
	if err := c.emitter.Flush(); err != nil {
		return err
	}
	if groups.Next() {
		return errors.New("combiner returned before the end of its input")
	}
	return groups.Err()
}

// emitted receives what Func emits.
func (c *combiner) emitted(block []byte) ([]byte, error) {
	n := 0
	for rest := block; len(rest) > 0; n++ {
		key, _, size, err := record.Read(rest)
		if err != nil {
			return block, err
		}
		rest = rest[size:]
		if c.begun && bytes.Equal(key, c.last) {
			continue
		}
		if c.begun && bytes.Compare(key, c.last) < 0 {
			return block, fmt.Errorf("combiner emitted key %s after %s: keys must come out in the order they came in",
				quote(key), quote(c.last))
		}
		if c.check != nil {
			if err := c.check(key); err != nil {
				return block, err
			}
		}
		c.last, c.begun = append(c.last[:0], key...), true
	}
	return block, c.out.add(block, n)
}

// quote renders a key for an error message, cut to a readable length.
func quote(key []byte) string {
	const most = 64
	if len(key) > most {
		return fmt.Sprintf("%q... (%d bytes)", key[:most], len(key))
	}
	return fmt.Sprintf("%q", key)
}
