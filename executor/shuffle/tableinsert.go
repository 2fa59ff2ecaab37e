package shuffle

import (
	"encoding/binary"

	"github.com/bucketmill/bucketmill/internal/record"
)

// keyMasks clear what follows a key of so many bytes in the 16 bytes that it starts.
var keyMasks = func() (masks [inlineKey + 1][2]uint64) {
	for n := range masks {
		masks[n] = [2]uint64{1<<(8*n) - 1, 0}
		if n > 8 {
			masks[n] = [2]uint64{1<<64 - 1, 1<<(8*(n-8)) - 1}
		}
	}
	return masks
}()

// insert combines the records of block and returns how many bytes of it were taken: fewer than all
// when there is no room for the next record's key.
func (t *table) insert(block []byte) (int, error) {
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
func (t *table) insertOne(block []byte) (int, error) {
	key, value, n, err := record.Read(block)
	if err != nil {
		return 0, err
	}
	if err := t.columns.Decode(t.scratch, value); err != nil {
		return 0, columnsError(t.columns, key, err)
	}
	s, found := t.find(key)
	if s == nil {
		return 0, nil
	}
	switch {
	case len(t.columns) == 1:
		if !t.put(s, found, t.scratch[0]) {
			return 0, nil
		}
	case found:
		if !t.merge(s) {
			return 0, nil
		}
	default:
		s.value = int64(len(t.ints))
		t.ints = append(t.ints, t.scratch...)
	}
	t.inserted++
	return n, nil
}

// insertCounts is insert for one column of sums. The common record, a short key with a number of one byte that
// is in the table already, is handled without a branch on its length and without a call.
func (t *table) insertCounts(block []byte) (int, error) {
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

// insertWhole is insert for whole records as keys: it keeps one of those that are equal.
func (t *table) insertWhole(block []byte) (int, error) {
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

// put combines v into the only column of s. It returns false if there is no room for what that comes to.
func (t *table) put(s *slot, found bool, v int64) bool {
	if !found {
		s.value = v
		return true
	}
	if s.size&wideSlot == 0 {
		switch t.columns[0] {
		case record.Sum:
			sum := s.value + v
			if (s.value^sum)&(v^sum) < 0 {
				break
			}
			s.value = sum
			return true
		case record.Min:
			s.value = min(s.value, v)
			return true
		case record.Max:
			s.value = max(s.value, v)
			return true
		}
	}
	t.scratch[0] = v
	return t.merge(s)
}

// lookahead is how many keys are looked for at a time: about as many as a processor's core can wait
// for parts of memory.
const lookahead = 32

// shortKey is a key of at most inlineKey bytes as it is looked for.
type shortKey struct {
	a, b, size uint64 // as in a slot; size is 0 for a longer key
	hash       uint64
}

// short makes key ready to be looked for.
func (t *table) short(key []byte) (k shortKey) {
	n := len(key)
	if n > inlineKey {
		return k
	}
	if cap(key) >= inlineKey {
		b := (*[inlineKey]byte)(key[:inlineKey])
		masks := &keyMasks[n]
		k.a = binary.LittleEndian.Uint64(b[:]) & masks[0]
		k.b = binary.LittleEndian.Uint64(b[8:]) & masks[1]
	} else {
		k.a, k.b = words(key)
	}
	k.size = uint64(n) + 1
	k.hash = t.hash(k.a, k.b, uint64(n))
	return k
}

// touch makes keys ready, and has the memory fetched that they are likely to be found in.
func (t *table) touch(ready []shortKey, keys [][]byte) {
	for i, key := range keys {
		ready[i] = t.short(key)
	}
	slots := t.slots
	var touched uint64
	for i := range ready { // on its own, so that nothing but memory is waited for
		touched ^= slots[ready[i].hash&uint64(len(slots)-1)].size
	}
	t.touched = touched
}

// count adds v to the only column of a short key if it is there, and its sum stays within 64 bits, and
// reports whether it has.
func (t *table) count(key []byte, v int64) bool {
	k := t.short(key)
	return t.countHashed(&k, v)
}

// countHashed is count for a key that was made ready, be it before the table grew.
func (t *table) countHashed(k *shortKey, v int64) bool {
	s := &t.slots[k.hash&uint64(len(t.slots)-1)]
	sum := s.value + v
	if s.size != k.size || s.a != k.a || s.b != k.b || k.size == 0 || (s.value^sum)&(v^sum) < 0 {
		return false
	}
	s.value = sum
	t.inserted++
	return true
}
