package shuffle

import (
	"bytes"
	"math/bits"
	"sort"
)

// router is a Partitioner made ready for many keys.
//
// Of boundaries it compares 8 bytes as numbers, and whole keys only where these are equal.
// A table over the leading bits in which the boundaries differ leaves few of them, mostly one or
// none, to be compared at all.
type router struct {
	Partitioner
	common      []byte // what all boundaries begin with, if that is long; prefixes are of what follows
	prefixes    []uint64
	first, last uint64   // of prefixes
	skip, shift int      // bits: those in which all boundaries agree; those behind the table's
	table       []uint32 // leading bits -> number of boundaries with lesser ones
	spread      []turn   // by a key's last partition; nil if there is none to spread
}

// turn is where the next record of a key goes that is spread over partitions.
type turn struct {
	first, width, next int // width 0: the key is not spread
}

const (
	minTableBits, maxTableBits = 8, 16
	// tableShare is how many bits the table has beyond one entry a boundary: keys are rarely spread evenly.
	tableShare = 4
	// minCommon is the length in bytes from which it pays to pass over what all boundaries begin with.
	minCommon = 5
)

// newRouter returns the router of a map task; the records of spread keys begin at another partition in each.
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

// leading returns the table's place for a prefix between first and last.
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
	for left := high - low; left > 0; { // without a branch to be mispredicted
		half := (left + 1) / 2
		if r.prefixes[low+half-1] < prefix {
			low += half
		}
		left -= half
	}
	// Mostly one boundary has the key's 8 bytes, if any has.
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

// searchEqual goes on with whole keys among the boundaries from low to high, the first of which have the prefix.
func (r *router) searchEqual(key []byte, prefix uint64, low, high int) int {
	return low + sort.Search(high-low, func(i int) bool {
		return r.prefixes[low+i] > prefix || bytes.Compare(r.Boundaries[low+i], key) > 0
	})
}

// take goes round the partitions.
func (t *turn) take() int {
	p := t.first + t.next
	if t.next++; t.next == t.width {
		t.next = 0
	}
	return p
}
