package streaming

import (
	"io"

	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/internal/record"
)

// streamCombiner buffers a mapper's pairs. When the buffer is full, it starts a process that
// combines them.
type streamCombiner struct {
	*streams
	buffer *shuffle.SortBuffer // of the mapper's pairs
	out    *record.Emitter     // receives the combined pairs
	lines  lineWriter
}

func newStreamCombiner(g *streams) *streamCombiner {
	c := &streamCombiner{streams: g}
	c.buffer = shuffle.NewSortBuffer(g.attempt.Buffer, c.combine)
	return c
}

// before returns an Emitter whose pairs go to out once they are combined.
func (c *streamCombiner) before(out *record.Emitter) *record.Emitter {
	c.out = out
	return c.buffer.Emitter()
}

// flush combines the pairs in the buffer.
func (c *streamCombiner) flush(out *record.Emitter) error {
	c.out = out
	if err := c.buffer.Flush(); err != nil {
		return err
	}
	return out.Err()
}

// combine starts a process that combines sorted pairs.
func (c *streamCombiner) combine(next func() ([]byte, error)) error {
	s, err := c.start("combiner", c.program.combiner, nil)
	if err != nil {
		return err
	}
	c.lines.to = s.stdin
	take := func(lines []byte) error {
		c.program.mapOutput.emit(lines, c.out)
		return c.out.Err()
	}
	if err := s.exchange(func() error { return c.write(next) }, false, take); err != nil {
		s.forget()
		return err
	}
	return s.finish(take)
}

// write writes all pairs to the process.
func (c *streamCombiner) write(next func() ([]byte, error)) error {
	for {
		block, err := next()
		if err == io.EOF {
			return c.lines.flush()
		}
		if err != nil {
			return err
		}
		if err := c.lines.pairs(block, c.program.reduceInput); err != nil {
			return err
		}
	}
}
