package mapred

import (
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/internal/tally"
)

// tableShare is the part of a task's memory that the table of a columnsBuffer may take, tableLimit
// the most that it takes, in bytes.
const (
	tableShare = 8
	tableLimit = 64 << 20
)

// columnsBuffer combines the integers that a mapper emits before they go to out. It stops combining
// when a full table has saved less than a tenth of the records.
type columnsBuffer struct {
	table *tally.Table // nil once combining has stopped
	sums  bool         // the only column is a sum
	out   *record.Emitter
	added int64 // records

	// Short keys are looked up several at a time, so that their memory is fetched at once.
	keys  [tally.Lookahead]tally.Key
	ints  [tally.Lookahead]int64
	ready int
	key   []byte // scratch
	value []byte // scratch
}

// newColumnsBuffer returns a buffer for a process that may use memory bytes; 0 means that no limit
// is set.
func newColumnsBuffer(columns record.Columns, memory int64, out *record.Emitter) *columnsBuffer {
	limit := int64(tableLimit)
	if memory > 0 {
		limit = min(limit, memory/tableShare)
	}
	return &columnsBuffer{
		table: tally.New(columns, limit, 0),
		sums:  len(columns) == 1 && columns[0] == record.Sum,
		out:   out,
	}
}

// addInts adds ints to key's columns.
func (c *columnsBuffer) addInts(key []byte, ints []int64) {
	c.added++
	if c.sums && len(key) <= tally.ShortKey && c.table != nil {
		at := c.ready & (len(c.keys) - 1)
		c.table.SetKey(&c.keys[at], key)
		c.ints[at] = ints[0]
		if c.ready = at + 1; c.ready == len(c.keys) {
			c.addReady()
		}
		return
	}
	c.insert(key, ints)
}

// addReady adds what is ready.
func (c *columnsBuffer) addReady() {
	keys, ints := c.keys[:c.ready], c.ints[:c.ready]
	c.ready = 0
	for len(keys) > 0 {
		if c.table != nil {
			n := c.table.CountKeys(keys, ints)
			if keys, ints = keys[n:], ints[n:]; len(keys) == 0 {
				return
			}
		}
		c.key = keys[0].Bytes(c.key[:0])
		c.insert(c.key, ints[:1])
		keys, ints = keys[1:], ints[1:]
	}
}

// insert puts ints into the table, which it empties if it is full.
func (c *columnsBuffer) insert(key []byte, ints []int64) {
	if c.table != nil && c.table.AddInts(key, ints) {
		return
	}
	if c.table != nil {
		futile := int64(c.table.Len()) > c.table.Inserted()-c.table.Inserted()/10
		c.empty()
		if !futile && c.table.AddInts(key, ints) {
			return
		}
		c.table = nil
	}
	c.pass(key, ints)
}

// pass emits a value that is not combined.
func (c *columnsBuffer) pass(key []byte, ints []int64) {
	c.value = record.AppendInts(c.value[:0], ints...)
	c.out.Emit(key, c.value)
}

// drain emits all that is in the buffer.
func (c *columnsBuffer) drain() {
	c.addReady()
	if c.table != nil {
		c.empty()
	}
}

// empty emits the records of the table.
func (c *columnsBuffer) empty() {
	// An error stays in out.
	_ = c.table.Each(func(key, value []byte) error {
		c.out.Emit(key, value)
		return nil
	})
	c.table.Reset()
}
