package tally

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"

	"github.com/bucketmill/bucketmill/internal/record"
)

// ShortKey is the longest key in bytes of which there are Keys.
const ShortKey = inlineKey

const (
	// inlineKey is the longest key in bytes that a slot holds itself.
	inlineKey = 16
	slotSize  = 32
	// firstSlots is the number of slots that a table starts with; it doubles when three quarters
	// are taken.
	firstSlots = 1 << 10
	// longKeyChunk is the size of the pieces in which memory for longer keys is allocated.
	longKeyChunk = 64 << 10
)

// slot is one key of the table in half a cache line.
type slot struct {
	// a and b are the key's bytes, little endian and padded with zeros. Of a key longer than
	// inlineKey, a is the hash and b the place in long.
	a, b uint64
	// size is the key's length plus one; 0 is a free slot. The bit wideSlot may be set on top.
	size uint64
	// value is the only column; of several columns, or in a wide slot, the index of the first in
	// ints.
	value int64
}

// wideSlot marks a slot one of whose sums has outgrown 64 bits: each of its columns takes two ints,
// the high half and the low one.
const wideSlot = 1 << 63

// keyLen is the length of the key of a slot that is taken.
func (s *slot) keyLen() uint64 { return s.size&^wideSlot - 1 }

// A Table combines records as they come: open addressing with linear probing. It has neither
// pointers nor an allocation per key. It belongs to one goroutine.
//
// Short keys are hashed by one 64x64->128 bit multiplication with random seeds, as wyhash does for
// its last 16 bytes (Wang Yi, 2019); longer ones by hash/maphash.
type Table struct {
	columns      record.Columns
	slots        []slot
	used         int
	seedA, seedB uint64
	seed         maphash.Seed
	ints         []int64
	scratch      []int64
	totals       []record.Total // scratch
	wide         int            // slots that are
	long         []byte         // keys longer than inlineKey, back to back
	keyBytes     int64          // of all keys
	inserted     int64          // records since the last reset
	limit        int64          // bytes that the table and what it drains to may take
	perRecord    int64          // bytes that a drained record takes besides its key and value
	touched      uint64         // without meaning: keeps the reads of Fetch
}

// New returns an empty table that takes at most limit bytes, together with what its records take
// when they are drained: perRecord bytes for each, besides key and value. Without columns it keeps
// keys only.
func New(columns record.Columns, limit, perRecord int64) *Table {
	t := &Table{
		columns: columns, scratch: make([]int64, len(columns)), totals: make([]record.Total, len(columns)),
		limit: limit, perRecord: perRecord,
		seedA: rand.Uint64(), seedB: rand.Uint64(), seed: maphash.MakeSeed(),
	}
	n := firstSlots
	for int64(n)*slotSize*8 > limit && n > 16 {
		n /= 2
	}
	t.slots = make([]slot, n)
	return t
}

// Len returns the number of keys.
func (t *Table) Len() int { return t.used }

// Inserted returns how many records the keys were made of.
func (t *Table) Inserted() int64 { return t.inserted }

// Wide returns how many keys have a sum beyond 64 bits.
func (t *Table) Wide() int { return t.wide }

// Bytes returns how much memory the table takes, in bytes.
func (t *Table) Bytes() int64 {
	return int64(cap(t.slots))*slotSize + int64(cap(t.ints))*8 + int64(cap(t.long))
}

// Drained returns how many bytes the records take at most when they are drained.
func (t *Table) Drained() int64 {
	columns := int64(len(t.columns))
	rec := t.perRecord + 4 + columns*binary.MaxVarintLen64
	return t.keyBytes + int64(t.used)*rec + int64(t.wide)*columns*(record.MaxTotalLen-binary.MaxVarintLen64)
}

// fits reports whether one more key of n bytes stays within the limit, and makes room for it.
func (t *Table) fits(n int) bool {
	used := t.Bytes() + t.Drained() + int64(n)
	if (t.used+1)*4 > len(t.slots)*3 {
		if used+2*int64(len(t.slots))*slotSize > t.limit {
			return false
		}
		t.grow()
		used = t.Bytes() + t.Drained() + int64(n)
	}
	if n > inlineKey && len(t.long)+n > cap(t.long) {
		more := max(cap(t.long)/2, min(longKeyChunk, int(t.limit/16)), n)
		if used+int64(cap(t.long)+more) > t.limit { // old and new while it is copied
			return false
		}
		t.long = append(make([]byte, 0, cap(t.long)+more), t.long...)
	}
	if c := len(t.columns); c > 1 && !t.fitInts(c, used) {
		return false
	}
	return used <= t.limit
}

// fitInts reports whether n more ints stay within the limit, of which that many bytes are used, and
// makes room for them.
func (t *Table) fitInts(n int, used int64) bool {
	if len(t.ints)+n <= cap(t.ints) {
		return true
	}
	more := max(cap(t.ints)/2, 64*n)
	if used+int64(cap(t.ints)+more)*8 > t.limit { // old and new while they are copied
		return false
	}
	t.ints = append(make([]int64, 0, cap(t.ints)+more), t.ints...)
	return true
}

func (t *Table) grow() {
	old := t.slots
	t.slots = make([]slot, 2*len(old))
	mask := uint64(len(t.slots) - 1)
	for i := range old {
		s := &old[i]
		if s.size == 0 {
			continue
		}
		h := s.a
		if n := s.keyLen(); n <= inlineKey {
			h = t.hash(s.a, s.b, n)
		}
		at := h & mask
		for t.slots[at].size != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = *s
	}
}

func (t *Table) hash(a, b, size uint64) uint64 {
	high, low := bits.Mul64(a^t.seedA, b^t.seedB^size<<56)
	return high ^ low
}

// words returns the bytes of a key of at most inlineKey bytes as they stand in a slot.
func words(key []byte) (a, b uint64) {
	n := len(key)
	switch {
	case n >= 8:
		a = binary.LittleEndian.Uint64(key)
		b = binary.LittleEndian.Uint64(key[n-8:]) >> (8 * (16 - n))
	case n >= 4:
		a = uint64(binary.LittleEndian.Uint32(key)) | uint64(binary.LittleEndian.Uint32(key[n-4:]))<<(8*(n-4))
	case n > 0:
		a = uint64(key[0]) | uint64(key[n/2])<<(8*(n/2)) | uint64(key[n-1])<<(8*(n-1))
	}
	return a, b
}

// find returns key's slot. If it is a new one it is made, unless there is no room for it: then find
// returns nil.
func (t *Table) find(key []byte) (s *slot, found bool) {
	if len(key) > inlineKey {
		return t.findLong(key)
	}
	a, b := words(key)
	return t.findShort(a, b, uint64(len(key))+1)
}

// findShort is find for a key of at most inlineKey bytes, as it is in a slot.
func (t *Table) findShort(a, b, size uint64) (s *slot, found bool) {
	slots := t.slots
	mask := uint64(len(slots) - 1)
	for at := t.hash(a, b, size-1) & mask; ; at = (at + 1) & mask {
		s := &slots[at&uint64(len(slots)-1)]
		if s.size&^wideSlot == size && s.a == a && s.b == b {
			return s, true
		}
		if s.size == 0 {
			return t.claim(s, slot{a: a, b: b, size: size}, nil), false
		}
	}
}

func (t *Table) findLong(key []byte) (s *slot, found bool) {
	size := uint64(len(key)) + 1
	h := maphash.Bytes(t.seed, key)
	mask := uint64(len(t.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		s := &t.slots[at]
		if s.size&^wideSlot == size && s.a == h && bytes.Equal(t.long[s.b:s.b+size-1], key) {
			return s, true
		}
		if s.size == 0 {
			return t.claim(s, slot{a: h, b: uint64(len(t.long)), size: size}, key), false
		}
	}
}

// claim makes the free slot s, or another when the table grows, into fresh. Long is the key if it
// is longer than inlineKey.
func (t *Table) claim(s *slot, fresh slot, long []byte) *slot {
	before, n := len(t.slots), fresh.keyLen()
	if !t.fits(int(n)) {
		return nil
	}
	if len(t.slots) != before { // s is a slot of the old table
		h := fresh.a
		if n <= inlineKey {
			h = t.hash(fresh.a, fresh.b, n)
		}
		mask := uint64(len(t.slots) - 1)
		at := h & mask
		for t.slots[at].size != 0 {
			at = (at + 1) & mask
		}
		s = &t.slots[at]
	}
	t.long = append(t.long, long...)
	*s = fresh
	t.used++
	t.keyBytes += int64(n)
	return s
}

// Each calls yield with every record. Both slices are valid only during the call.
// The first error of yield ends it.
func (t *Table) Each(yield func(key, value []byte) error) error {
	var value []byte
	return t.eachSlot(func(key []byte, s *slot) error {
		switch {
		case s.size&wideSlot != 0:
			t.readWide(s)
			value = record.AppendTotals(value[:0], t.totals)
		case len(t.columns) == 0:
			value = value[:0]
		case len(t.columns) == 1:
			value = record.AppendInts(value[:0], s.value)
		default:
			value = record.AppendInts(value[:0], t.ints[s.value:s.value+int64(len(t.columns))]...)
		}
		return yield(key, value)
	})
}

// eachSlot calls yield with every key, which is valid only during the call, and its slot.
func (t *Table) eachSlot(yield func(key []byte, s *slot) error) error {
	var short [inlineKey]byte
	for i := range t.slots {
		s := &t.slots[i]
		if s.size == 0 {
			continue
		}
		n := s.keyLen()
		var key []byte
		if n > inlineKey {
			key = t.long[s.b : s.b+n]
		} else {
			binary.LittleEndian.PutUint64(short[:], s.a)
			binary.LittleEndian.PutUint64(short[8:], s.b)
			key = short[:n]
		}
		if err := yield(key, s); err != nil {
			return err
		}
	}
	return nil
}

// Reset empties the table and keeps its memory.
func (t *Table) Reset() {
	clear(t.slots)
	t.used, t.wide, t.keyBytes, t.inserted = 0, 0, 0, 0
	t.ints, t.long = t.ints[:0], t.long[:0]
}
