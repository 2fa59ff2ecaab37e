package shuffle

import (
	"bytes"
	"math/bits"
	"sort"
)

// router is a Partitioner prepared for many keys.
//
// It compares the first 8 bytes of boundaries as numbers, and whole keys only if those are equal. A
// table over the leading bits in which the boundaries differ leaves few boundaries to compare,
// mostly one or none.
type router struct {
	Partitioner
	common      []byte // what all boundaries begin with, if long; prefixes are taken after it
	prefixes    []uint64
	first, last uint64   // first and last of prefixes
	skip, shift int      // bits before the table's, in which all boundaries agree, and after them
	table       []uint32 // leading bits -> number of boundaries with smaller leading bits
	spread      []turn   // by a key's last partition; nil if no key is spread
}

// turn says where the next record of a spread key goes.
type turn struct {
	first, width, next int // width 0: the key is not spread
}

const (
	minTableBits, maxTableBits = 8, 16
	// tableShare is how many more bits the table has than one entry per boundary needs: keys are
	// rarely distributed evenly.
	tableShare = 4
	// minCommon is the length in bytes from which it pays to skip what all boundaries begin with.
	minCommon = 5
)

// newRouter returns the router of a map task. The records of a spread key begin at a different
// partition in each task.
func newRouter(p Partitioner, task int) router {
	r := router{Partitioner: p}
	n := len(p.Boundaries)
	if n == 0 {
		return r
	}
	if common := commonPrefix(p.Boundaries[0], p.Boundaries[n-1]); common >= minCommon {
		r.common = p.Boundaries[0][:common]
	}
	for _, b := range p.Boundaries {
		r.prefixes = append(r.prefixes, keyPrefix(b[len(r.common):]))
	}
	r.first, r.last = r.prefixes[0], r.prefixes[n-1]
	width := min(max(bits.Len(uint(n))+tableShare, minTableBits), maxTableBits)
	r.skip, r.shift = bits.LeadingZeros64(r.first^r.last), 64-width
	r.table = make([]uint32, 1<<width+1)
	for _, prefix := range r.prefixes {
		r.table[r.leading(prefix)+1]++
	}
	for i := range 1 << width {
		r.table[i+1] += r.table[i]
	}
	if len(p.Spread) > 0 {
		r.spread = make([]turn, n+1)
		for _, s := range p.Spread {
			width := s.Last - s.First + 1
			r.spread[s.Last] = turn{first: s.First, width: width, next: task % width}
		}
	}
	return r
}

// leading returns the table's index of a prefix between first and last.
func (r *router) leading(prefix uint64) uint64 { return prefix << r.skip >> r.shift }

// route returns key's partition; prefix is keyPrefix(key).
func (r *router) route(key []byte, prefix uint64) int {
	if r.Partitions == 1 {
		return 0
	}
	if r.Boundaries == nil {
		return r.hashed(key)
	}
	p := r.search(key, prefix)
	if r.spread != nil && r.spread[p].width > 0 && bytes.Equal(r.Boundaries[p-1], key) {
		return r.spread[p].take()
	}
	return p
}

// search returns the number of boundaries <= key.
func (r *router) search(key []byte, prefix uint64) int {
	n := len(r.prefixes)
	if n == 0 {
		return 0
	}
	if r.common != nil {
		if !bytes.HasPrefix(key, r.common) {
			if bytes.Compare(key, r.common) < 0 {
				return 0
			}
			return n
		}
		prefix = keyPrefix(key[len(r.common):])
	}
	if prefix < r.first {
		return 0
	}
	if prefix > r.last {
		return n
	}
	at := r.leading(prefix)
	low, high := int(r.table[at]), int(r.table[at+1])
	for left := high - low; left > 0; { // no branch that could be mispredicted
		half := (left + 1) / 2
		if r.prefixes[low+half-1] < prefix {
			low += half
		}
		left -= half
	}
	// At most one boundary, in most cases, has the key's first 8 bytes.
	for steps := 0; low < high && r.prefixes[low] == prefix; steps++ {
		if steps == 4 {
			return r.searchEqual(key, prefix, low, high)
		}
		if bytes.Compare(r.Boundaries[low], key) > 0 {
			break
		}
		low++
	}
	return low
}

// searchEqual compares whole keys among the boundaries from low to high, the first of which have
// the prefix.
func (r *router) searchEqual(key []byte, prefix uint64, low, high int) int {
	return low + sort.Search(high-low, func(i int) bool {
		return r.prefixes[low+i] > prefix || bytes.Compare(r.Boundaries[low+i], key) > 0
	})
}

// take returns the partitions in turn.
func (t *turn) take() int {
	p := t.first + t.next
	if t.next++; t.next == t.width {
		t.next = 0
	}
	return p
}
