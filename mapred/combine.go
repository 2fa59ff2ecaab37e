package mapred

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/bucketmill/bucketmill/internal/record"
)

// combineBufferLen is how much of a mapper's output is gathered before it is sorted and combined,
// in bytes of encoded records. References to them take up to as much again.
const combineBufferLen = 16 << 20

// combineBuffer gathers a mapper's output and hands it to the combiner, key by key. What the
// combiner emits goes to out; it is not combined a second time here.
type combineBuffer struct {
	ctx    context.Context // the task's
	guest  *guest
	out    *Emitter
	sorted []recordRef
}

// recordRef is the place of a record in the buffer.
type recordRef struct {
	key     []byte
	at, end int
}

// emitter returns the Emitter that fills the buffer.
func (c *combineBuffer) emitter() *record.Emitter {
	return record.NewEmitter(combineBufferLen, func(block []byte) ([]byte, error) {
		return block, c.run(block)
	})
}

func (c *combineBuffer) run(block []byte) error {
	c.sorted = c.sorted[:0]
	for at := 0; at < len(block); {
		key, _, n, err := record.Read(block[at:])
		if err != nil {
			return err
		}
		c.sorted = append(c.sorted, recordRef{key: key, at: at, end: at + n})
		at += n
	}
	slices.SortStableFunc(c.sorted, func(a, b recordRef) int { return bytes.Compare(a.key, b.key) })

	rest := c.sorted
	groups := record.NewGroups(func() ([]byte, error) {
		if len(rest) == 0 {
			return nil, io.EOF
		}
		ref := rest[0]
		rest = rest[1:]
		return block[ref.at:ref.end], nil
	})
	mapping := c.guest.at
	values := valuesOf(groups)
	for groups.Next() {
		c.guest.at = place{key: groups.Key(), hasKey: true}
		if err := c.guest.job.Combiner.Reduce(c.ctx, groups.Key(), values, c.out); err != nil {
			return fmt.Errorf("combine: %w", err)
		}
	}
	if err := groups.Err(); err != nil {
		return err
	}
	c.guest.at = mapping
	return c.out.err()
}
