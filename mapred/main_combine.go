package mapred

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/bucketmill/bucketmill/internal/record"
)

// combineBufferLen bounds what a mapper's output may take before it is sorted and combined,
// in bytes of encoded records. References to them take up to as much again.
const combineBufferLen = 16 << 20

// combineBuffer gathers a mapper's output and hands it to the combiner key by key. What the
// combiner emits goes on to out; it is not combined a second time here.
type combineBuffer struct {
	combiner Reducer
	out      *record.Emitter
	sorted   []recordRef
}

// recordRef is where a record lies in the buffer.
type recordRef struct {
	key     []byte
	at, end int
}

func newCombineBuffer(combiner Reducer, out *record.Emitter) *combineBuffer {
	return &combineBuffer{combiner: combiner, out: out}
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
	values := &Values{groups: groups}
	for groups.Next() {
		if err := c.combiner.Reduce(groups.Key(), values, c.out); err != nil {
			return fmt.Errorf("combine: %w", err)
		}
	}
	if err := groups.Err(); err != nil {
		return err
	}
	return c.out.Err()
}
