package shuffle

import (
	"bytes"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
)

// cursor is the position of a merge in a run.
type cursor struct {
	key    []byte
	value  []byte
	record []byte // encoded
	rest   []byte // the rest of the block, after the record
	left   int    // records in rest
	reader *segfile.Reader
}

// loserTree is a tournament of cursors: each inner node keeps the loser of its match, so after the
// winner advances only the matches on its way to the root are played again (Knuth, The Art of
// Computer Programming, volume 3, 5.4.1).
type loserTree struct {
	cursors []cursor
	// prefixes are the keyPrefix of each cursor's key; ended cursors have the greatest value.
	prefixes []uint64
	ended    []bool
	nodes    []int32 // nodes[0] is the winner, nodes[1:] the losers
	byValue  bool
}

func newLoserTree(n int, byValue bool) *loserTree {
	return &loserTree{
		cursors: make([]cursor, n), prefixes: make([]uint64, n), ended: make([]bool, n),
		nodes: make([]int32, max(n, 1)), byValue: byValue,
	}
}

// before reports whether x's record comes before y's: by key, then by value if values are sorted,
// then by the order of the sources.
func (t *loserTree) before(x, y int32) bool {
	if p, q := t.prefixes[x], t.prefixes[y]; p != q {
		return p < q
	}
	return t.tieBefore(x, y)
}

func (t *loserTree) tieBefore(x, y int32) bool {
	if t.ended[x] || t.ended[y] {
		if t.ended[x] == t.ended[y] {
			return x < y
		}
		return t.ended[y]
	}
	c, d := &t.cursors[x], &t.cursors[y]
	order := bytes.Compare(c.key, d.key)
	if order == 0 && t.byValue {
		order = bytes.Compare(c.value, d.value)
	}
	return order < 0 || order == 0 && x < y
}

// play plays the whole tournament.
func (t *loserTree) play() {
	n := int32(len(t.cursors))
	winners := make([]int32, 2*n)
	for i := range n {
		winners[n+i] = i
	}
	for node := n - 1; node > 0; node-- {
		x, y := winners[2*node], winners[2*node+1]
		if !t.before(x, y) {
			x, y = y, x
		}
		winners[node], t.nodes[node] = x, y
	}
	if n == 1 {
		t.nodes[0] = 0
	} else if n > 1 {
		t.nodes[0] = winners[1]
	}
}

// replay plays the matches of a cursor that has advanced.
func (t *loserTree) replay(winner int32) {
	for node := (winner + int32(len(t.cursors))) / 2; node > 0; node /= 2 {
		if other := t.nodes[node]; t.before(other, winner) {
			t.nodes[node], winner = winner, other
		}
	}
	t.nodes[0] = winner
}

// advance moves a cursor to its next record. It fails as its reader does, or with a *CorruptError
// if the records do not match their block's header or are plainly out of order.
func (t *loserTree) advance(i int32) error {
	c := &t.cursors[i]
	for len(c.rest) == 0 {
		if c.left != 0 {
			return c.reader.CorruptRecords("block has fewer records than its header says")
		}
		block, n, err := c.reader.Next()
		if err != nil {
			return err
		}
		c.rest, c.left = block, n
	}
	key, value, n, err := record.Read(c.rest)
	if err != nil || c.left == 0 {
		return c.reader.CorruptRecords("block does not contain the records that its header says")
	}
	prefix := keyPrefix(key)
	if prefix < t.prefixes[i] {
		return c.reader.CorruptRecords("records are out of order")
	}
	c.key, c.value, c.record, c.rest = key, value, c.rest[:n], c.rest[n:]
	c.left--
	t.prefixes[i] = prefix
	return nil
}

// end marks a cursor that has no records left.
func (t *loserTree) end(i int32) {
	t.cursors[i] = cursor{}
	t.prefixes[i], t.ended[i] = ^uint64(0), true
}
