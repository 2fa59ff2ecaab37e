package program

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/bucketmill/bucketmill/internal/record"
)

// combineBlock is how much of a mapper's output is handed over to be combined at a time, in bytes.
const combineBlock = 64 << 10

// streamCombiner holds pairs back until a buffer is full, and then has a process make fewer of
// them.
type streamCombiner struct {
	*streams
	emitter *record.Emitter // where the mapper's pairs go
	out     *record.Emitter // where what is combined goes

	blocks [][]byte
	index  []heldPair
	size   int64 // of the blocks, in bytes
	lines  lineWriter
}

// heldPair is a pair in a block.
type heldPair struct {
	prefix    uint64 // of its key
	block, at uint32
}

// heldPairSize is what an entry of the index takes, in bytes.
const heldPairSize = 16

func newStreamCombiner(g *streams) *streamCombiner {
	c := &streamCombiner{streams: g}
	c.emitter = record.NewEmitter(combineBlock, c.hold)
	return c
}

// before returns an Emitter whose pairs come to out when they are combined.
func (c *streamCombiner) before(out *record.Emitter) *record.Emitter {
	c.out = out
	return c.emitter
}

// hold takes a block from the emitter.
func (c *streamCombiner) hold(block []byte) ([]byte, error) {
	for at := 0; at < len(block); {
		key, _, n, err := record.Read(block[at:])
		if err != nil {
			return nil, err
		}
		c.index = append(c.index, heldPair{prefix: keyPrefix(key), block: uint32(len(c.blocks)), at: uint32(at)})
		at += n
	}
	c.blocks = append(c.blocks, block)
	c.size += int64(cap(block))
	if c.size+int64(len(c.index))*heldPairSize < c.attempt.Buffer {
		return make([]byte, 0, combineBlock), nil
	}
	return block[:0], c.run()
}

// keyPrefix is the first 8 bytes of a key as a number that sorts as they do.
func keyPrefix(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// flush combines what is held back.
func (c *streamCombiner) flush(out *record.Emitter) error {
	c.out = out
	if err := c.emitter.Flush(); err != nil {
		return err
	}
	if err := c.run(); err != nil {
		return err
	}
	return out.Err()
}

// run sorts what is held back and has a process combine it.
func (c *streamCombiner) run() error {
	if len(c.index) == 0 {
		return nil
	}
	slices.SortFunc(c.index, c.compare)
	s, err := c.start("combiner", c.program.combiner, nil)
	if err != nil {
		return err
	}
	c.lines.to = s.stdin
	take := func(lines []byte) error {
		c.program.mapOutput.emit(lines, c.out)
		return c.out.Err()
	}
	if err := s.exchange(c.write, false, take); err != nil {
		s.forget()
		return err
	}
	if err := s.finish(take); err != nil {
		return err
	}
	c.blocks, c.index, c.size = c.blocks[:0], c.index[:0], 0
	return nil
}

// compare orders pairs by key, and those of one key as they came, so that a process gets the same
// each time.
func (c *streamCombiner) compare(a, b heldPair) int {
	if a.prefix != b.prefix {
		return cmp.Compare(a.prefix, b.prefix)
	}
	return cmp.Or(bytes.Compare(c.key(a), c.key(b)), cmp.Compare(a.block, b.block), cmp.Compare(a.at, b.at))
}

func (c *streamCombiner) key(p heldPair) []byte {
	key, _, _, _ := record.Read(c.blocks[p.block][p.at:]) // it could be read before
	return key
}

// write writes all pairs, sorted.
func (c *streamCombiner) write() error {
	for _, p := range c.index {
		block := c.blocks[p.block][p.at:]
		_, _, n, err := record.Read(block)
		if err != nil {
			return err
		}
		if err := c.lines.pairs(block[:n], c.program.reduceInput); err != nil {
			return err
		}
	}
	return c.lines.flush()
}
