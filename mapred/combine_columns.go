package mapred

import (
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/internal/tally"
)

// tableShare is the part of a task's memory that the table of a columnsBuffer may take, tableLimit the
// most that it takes, in bytes.
const (
	tableShare = 8
	tableLimit = 64 << 20
)

// columnsBuffer combines the integers that a mapper emits before they go to out. It gives up when that
// makes hardly fewer records of them.
type columnsBuffer struct {
	table *tally.Table // nil once it was given up
	sums  bool         // the only column is a sum
	out   *record.Emitter
	added int64 // how many records were

	// Short keys are looked for several at a time, so that memory is waited for only once.
	keys   [tally.Lookahead]tally.Key
	ints   [tally.Lookahead]int64
	ready  int
	key    []byte // scratch
	single [1]int64
	value  []byte // scratch
}

// newColumnsBuffer returns a buffer for a process that may use so many bytes of memory; 0 means any
// number.
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

// add adds n to key's only column.
func (c *columnsBuffer) add(key []byte, n int64) {
	c.added++
	if c.table == nil {
		c.single[0] = n
		c.pass(key, c.single[:])
		return
	}
	k := &c.keys[c.ready]
	if *k = c.table.Key(key); !k.Short() {
		c.single[0] = n
		c.insert(key, c.single[:])
		return
	}
	c.ints[c.ready] = n
	if c.ready++; c.ready == len(c.keys) {
		c.addReady()
	}
}

// addReady adds what is ready.
func (c *columnsBuffer) addReady() {
	if c.ready == 0 {
		return
	}
	keys := c.keys[:c.ready]
	c.ready = 0
	c.table.Fetch(keys)
	for i := range keys {
		k, n := &keys[i], c.ints[i]
		if c.table != nil && (c.sums && c.table.CountKey(k, n) || c.table.AddKey(k, n)) {
			continue
		}
		c.key = k.Bytes(c.key[:0])
		c.single[0] = n
		c.insert(c.key, c.single[:])
	}
}

// addInts adds ints to key's columns.
func (c *columnsBuffer) addInts(key []byte, ints []int64) {
	c.added++
	c.insert(key, ints)
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
