package tally

import (
	"encoding/binary"

	"github.com/bucketmill/bucketmill/internal/record"
)

// Lookahead is the best number of keys to look up at a time: about the number of cache lines that a
// processor's core can wait for.
const Lookahead = 32

// A Key is a key of at most ShortKey bytes that is ready to be looked up.
type Key struct {
	a, b, size uint64 // as in a slot; size is 0 for a longer key
	hash       uint64
}

// Short reports whether the key is one of at most 16 bytes.
func (k *Key) Short() bool { return k.size != 0 }

// Key makes key ready. What is ready stays so when the table grows.
func (t *Table) Key(key []byte) (k Key) {
	t.SetKey(&k, key)
	return k
}

// SetKey makes k the ready key.
func (t *Table) SetKey(k *Key, key []byte) {
	n := len(key)
	if n > inlineKey {
		*k = Key{}
		return
	}
	var a, b uint64
	if cap(key) >= inlineKey {
		from := (*[inlineKey]byte)(key[:inlineKey])
		masks := &keyMasks[n]
		a = binary.LittleEndian.Uint64(from[:]) & masks[0]
		b = binary.LittleEndian.Uint64(from[8:]) & masks[1]
	} else {
		a, b = words(key)
	}
	k.a, k.b, k.size = a, b, uint64(n)+1
	k.hash = t.hash(a, b, uint64(n))
}

// Ready makes keys ready, and fetches the memory where they are likely to be found.
func (t *Table) Ready(ready []Key, keys [][]byte) {
	for i, key := range keys {
		t.SetKey(&ready[i], key)
	}
	t.Fetch(ready)
}

// Fetch fetches the memory where the keys are likely to be found, all at once.
func (t *Table) Fetch(keys []Key) {
	slots := t.slots
	var touched uint64
	for i := range keys { // in a loop without other work, so that nothing but memory is waited for
		touched ^= slots[keys[i].hash&uint64(len(slots)-1)].size
	}
	t.touched = touched
}

// Count adds v to the only column, a sum, of a short key. It does so only if the key is in its
// first place and the sum stays within 64 bits, and reports whether it has.
func (t *Table) Count(key []byte, v int64) bool {
	k := t.Key(key)
	return t.CountKey(&k, v)
}

// CountKey is Count for a key that is ready.
func (t *Table) CountKey(k *Key, v int64) bool {
	s := &t.slots[k.hash&uint64(len(t.slots)-1)]
	sum := s.value + v
	if s.size != k.size || s.a != k.a || s.b != k.b || k.size == 0 || (s.value^sum)&(v^sum) < 0 {
		return false
	}
	s.value = sum
	t.inserted++
	return true
}

// CountKeys is Add for short keys that are ready and the only column, a sum. It returns how many
// were added: fewer than all if there is no room for the next.
func (t *Table) CountKeys(keys []Key, vs []int64) int {
	t.Fetch(keys)
	vs = vs[:len(keys)]
	for i := range keys {
		k, v := &keys[i], vs[i]
		slots := t.slots // the table may have grown
		s := &slots[k.hash&uint64(len(slots)-1)]
		for at := k.hash + 1; (s.size != k.size || s.a != k.a || s.b != k.b) && s.size != 0; at++ {
			s = &slots[at&uint64(len(slots)-1)]
		}
		sum := s.value + v
		if s.size != k.size || (s.value^sum)&(v^sum) < 0 { // a new key, or an unusual sum
			if !t.AddKey(k, v) {
				return i
			}
			continue
		}
		s.value = sum
		t.inserted++
	}
	return len(keys)
}

// Add combines v into key's only column. It reports whether there was room; if not, the table must
// be drained.
func (t *Table) Add(key []byte, v int64) bool {
	s, found := t.find(key)
	if s == nil || !t.put(s, found, v) {
		return false
	}
	t.inserted++
	return true
}

// AddKey is Add for a short key that is ready.
func (t *Table) AddKey(k *Key, v int64) bool {
	s, found := t.findShort(k.a, k.b, k.size)
	if s == nil || !t.put(s, found, v) {
		return false
	}
	t.inserted++
	return true
}

// Bytes appends the bytes of a short key to dst.
func (k *Key) Bytes(dst []byte) []byte {
	var b [inlineKey]byte
	binary.LittleEndian.PutUint64(b[:], k.a)
	binary.LittleEndian.PutUint64(b[8:], k.b)
	return append(dst, b[:k.size-1]...)
}

// put combines v into the only column of s. It returns false if there is no room for the result.
func (t *Table) put(s *slot, found bool, v int64) bool {
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
