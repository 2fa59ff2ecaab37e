package tally

import (
	"encoding/binary"
	"fmt"

	"github.com/bucketmill/bucketmill/internal/record"
)

// keyMasks[n] clears what follows a key of n bytes in the 16 bytes that begin with it.
var keyMasks = func() (masks [inlineKey + 1][2]uint64) {
	for n := range masks {
		masks[n] = [2]uint64{1<<(8*n) - 1, 0}
		if n > 8 {
			masks[n] = [2]uint64{1<<64 - 1, 1<<(8*(n-8)) - 1}
		}
	}
	return masks
}()

// Insert combines the records of block and returns how many bytes of it were taken: fewer than all
// when there is no room for the next record's key. Then the table must be drained.
func (t *Table) Insert(block []byte) (int, error) {
	if len(t.columns) == 1 && t.columns[0] == record.Sum {
		return t.insertCounts(block)
	}
	off := 0
	for off < len(block) {
		n, err := t.insertOne(block[off:])
		if n == 0 || err != nil {
			return off, err
		}
		off += n
	}
	return off, nil
}

// insertOne combines block's first record and returns its length, or 0 if there is no room for it.
func (t *Table) insertOne(block []byte) (int, error) {
	key, value, n, err := record.Read(block)
	if err != nil {
		return 0, err
	}
	if err := t.columns.Decode(t.scratch, value); err != nil {
		return 0, ValueError(t.columns, key, err)
	}
	if !t.addScratch(key) {
		return 0, nil
	}
	return n, nil
}

// AddInts combines ints, one for each column, into key's, and reports whether there was room.
func (t *Table) AddInts(key []byte, ints []int64) bool {
	copy(t.scratch, ints)
	return t.addScratch(key)
}

// addScratch is AddInts of scratch.
func (t *Table) addScratch(key []byte) bool {
	s, found := t.find(key)
	if s == nil {
		return false
	}
	switch {
	case len(t.columns) == 1:
		if !t.put(s, found, t.scratch[0]) {
			return false
		}
	case found:
		if !t.merge(s) {
			return false
		}
	default:
		s.value = int64(len(t.ints))
		t.ints = append(t.ints, t.scratch...)
	}
	t.inserted++
	return true
}

// insertCounts is Insert for one column of sums. The common record, a short key with a number of
// one byte that is in the table already, is handled without a branch on its length and without a
// call.
func (t *Table) insertCounts(block []byte) (int, error) {
	const window = 2 + inlineKey + 1
	off := 0
	for off < len(block) {
		if len(block)-off >= window {
			b := (*[window]byte)(block[off:])
			if n := uint64(b[0]); n <= inlineKey && b[1] == 1 && b[2+n] < 0x80 {
				masks := &keyMasks[n]
				x := binary.LittleEndian.Uint64(b[2:]) & masks[0]
				y := binary.LittleEndian.Uint64(b[10:]) & masks[1]
				s := &t.slots[t.hash(x, y, n)&uint64(len(t.slots)-1)]
				v := int64(b[2+n]>>1) ^ -int64(b[2+n]&1)
				sum := s.value + v
				if s.size == n+1 && s.a == x && s.b == y && (s.value^sum)&(v^sum) >= 0 {
					s.value = sum
					t.inserted++
					off += int(n) + 3
					continue
				}
			}
		}
		n, err := t.insertOne(block[off:])
		if n == 0 || err != nil {
			return off, err
		}
		off += n
	}
	return off, nil
}

// InsertWhole is Insert for whole records as keys: it keeps one of those that are equal.
func (t *Table) InsertWhole(block []byte) (int, error) {
	off := 0
	for off < len(block) {
		_, _, n, err := record.Read(block[off:])
		if err != nil {
			return off, err
		}
		if s, _ := t.find(block[off : off+n]); s == nil {
			return off, nil
		}
		t.inserted++
		off += n
	}
	return off, nil
}

// ValueError says that a value is not what the columns want.
func ValueError(c record.Columns, key []byte, err error) error {
	const most = 64
	if len(key) > most {
		return fmt.Errorf("value of key %q... (%d bytes) is not %d encoded integers: %w", key[:most], len(key), len(c), err)
	}
	return fmt.Errorf("value of key %q is not %d encoded integers: %w", key, len(c), err)
}
