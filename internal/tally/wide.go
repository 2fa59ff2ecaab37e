package tally

import (
	"github.com/bucketmill/bucketmill/internal/record"
)

// merge combines scratch into a slot that is not new. It returns false, and has changed nothing, if
// a sum outgrows 64 bits and there is no room for more: then the table must be emptied first.
func (t *Table) merge(s *slot) bool {
	columns := len(t.columns)
	if s.size&wideSlot == 0 {
		var only [1]int64
		held := only[:]
		if columns == 1 {
			only[0] = s.value
		} else {
			held = t.ints[s.value : s.value+int64(columns)]
		}
		if t.columns.Merge(held, t.scratch) {
			if columns == 1 {
				s.value = only[0]
			}
			return true
		}
		if !t.widen(s, held) {
			return false
		}
	}
	t.readWide(s)
	for i, v := range t.scratch {
		t.columns[i:i+1].MergeTotals(t.totals[i:i+1], []record.Total{record.TotalOf(v)})
	}
	t.writeWide(s)
	return true
}

// widen makes s, which has these columns, a wide slot. What several columns took in ints before is
// given up until the table is emptied.
func (t *Table) widen(s *slot, held []int64) bool {
	n := 2 * len(held)
	used := t.Bytes() + t.Drained() + int64(len(held))*record.MaxTotalLen
	if used > t.limit || !t.fitInts(n, used) {
		return false
	}
	for i, v := range held {
		t.totals[i] = record.TotalOf(v)
	}
	s.value = int64(len(t.ints))
	s.size |= wideSlot
	t.wide++
	t.ints = t.ints[:len(t.ints)+n]
	t.writeWide(s)
	return true
}

// readWide reads the columns of a wide slot into totals, and writeWide writes them.
func (t *Table) readWide(s *slot) {
	ints := t.ints[s.value:]
	for i := range t.totals {
		t.totals[i] = record.Total{Hi: ints[2*i], Lo: uint64(ints[2*i+1])} //nolint:gosec // its bits
	}
}

func (t *Table) writeWide(s *slot) {
	ints := t.ints[s.value:]
	for i, v := range t.totals {
		ints[2*i], ints[2*i+1] = v.Hi, int64(v.Lo) //nolint:gosec // its bits
	}
}
