package tally

import (
	"math"

	"github.com/bucketmill/bucketmill/internal/record"
)

// Sums adds up numbers by key, in a hash table of bounded size. No sum overflows.
type Sums struct {
	table *Table
	// worth bounds the magnitude of every sum.
	worth uint64
}

// sumBytes is what a drained sum takes beside its key, in bytes.
const sumBytes = 16

// NewSums returns an empty table that takes at most limit bytes of memory.
func NewSums(limit int64) *Sums {
	return &Sums{table: New(record.Columns{record.Sum}, limit, sumBytes)}
}

// Add adds n to key's sum, and reports whether it could: if not, the table is full, or the sum
// might overflow, and it must be drained first. Into an empty table only a key that is too long for
// its memory does not fit.
func (s *Sums) Add(key []byte, n int64) bool {
	magnitude := uint64(n)
	if n < 0 {
		magnitude = -magnitude
	}
	if magnitude > math.MaxInt64-s.worth {
		return false
	}
	if !s.table.Count(key, n) && !s.table.Add(key, n) {
		return false
	}
	s.worth += magnitude
	return true
}

// Drain calls yield with every key and its sum, in no order, and empties the table. The key is
// valid only during the call. The first error of yield ends it.
func (s *Sums) Drain(yield func(key []byte, sum int64) error) error {
	defer func() {
		s.table.Reset()
		s.worth = 0
	}()
	return s.table.eachSlot(func(key []byte, slot *slot) error { return yield(key, slot.value) })
}
