package shuffle

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

const (
	// radixFrom is the number of entries from which a radix pass pays off.
	radixFrom = 256
	// insertionTo is the number of entries up to which insertion sort is fastest.
	insertionTo = 12
	// resolveFrom is the number of entries with a common prefix from which it pays off to load the
	// next 8 bytes of their keys into the index instead of comparing whole keys.
	resolveFrom = 16
)

// sort orders the arena's index by partition, key and arrival; with byValue by partition, key,
// value and arrival. It returns one slice of the index per partition and needs no other memory.
//
// An in-place distribution separates the partitions (McIlroy, Bostic and McIlroy, "Engineering
// radix sort", 1993: American flag sort), and the prefixes of large ranges; quicksort on numbers
// does the rest. Keys that share their first 8 bytes are sorted by the 8 bytes after their longest
// common prefix, in the manner of Ng and Kakehi, "Cache efficient radix sort for string sorting"
// (2007).
func (a *arena) sort(byValue bool) [][]entry {
	s := sorter{arena: a, byValue: byValue}
	parts := s.distribute(a.index, a.counts)
	for _, part := range parts {
		s.sortFrom(part, 0)
	}
	return parts
}

type sorter struct {
	arena   *arena
	byValue bool
}

// distribute permutes index in place so that partitions follow each other.
func (s *sorter) distribute(index []entry, counts []int) [][]entry {
	parts := make([][]entry, len(counts))
	heads := make([]int, len(counts))
	at := 0
	for p, n := range counts {
		heads[p] = at
		parts[p] = index[at : at+n : at+n]
		at += n
	}
	at = 0
	for p, n := range counts {
		at += n
		for heads[p] < at {
			e := index[heads[p]]
			for to := e.partition(); to != p; to = e.partition() {
				e, index[heads[to]] = index[heads[to]], e
				heads[to]++
			}
			index[heads[p]] = e
			heads[p]++
		}
	}
	return parts
}

// sortFrom sorts entries of one partition whose keys agree up to byte depth and whose prefixes are
// loaded from there.
func (s *sorter) sortFrom(entries []entry, depth int) {
	sortNumbers(entries, 56)
	for i := 0; i < len(entries); {
		e := entries[i]
		j := i + 1
		for j < len(entries) && entries[j].prefix == e.prefix && entries[j].rank() == e.rank() {
			j++
		}
		if j-i > 1 {
			if e.rank() == longRank {
				s.resolve(entries[i:j], depth+8)
			} else if s.byValue {
				s.sortValues(entries[i:j])
			}
		}
		i = j
	}
}

// resolve sorts entries whose keys agree up to byte depth and are longer than that.
func (s *sorter) resolve(entries []entry, depth int) {
	if len(entries) < resolveFrom {
		slices.SortFunc(entries, func(x, y entry) int {
			if c := bytes.Compare(s.arena.key(x)[depth:], s.arena.key(y)[depth:]); c != 0 {
				return c
			}
			return s.compareEqual(x, y)
		})
		return
	}
	first := s.arena.key(entries[0])
	common := len(first)
	equal := true
	for _, e := range entries[1:] {
		key := s.arena.key(e)
		common = depth + commonPrefix(first[depth:common], key[depth:])
		equal = equal && len(key) == len(first) && common == len(first)
	}
	if equal {
		slices.SortFunc(entries, s.compareEqual)
		return
	}
	for i, e := range entries {
		rest := s.arena.key(e)[common:]
		entries[i].prefix = keyPrefix(rest)
		entries[i].loc = e.loc&^(rankMask<<rankShift) | uint64(min(len(rest), longRank))<<rankShift
	}
	s.sortFrom(entries, common)
}

func (s *sorter) sortValues(entries []entry) { slices.SortFunc(entries, s.compareEqual) }

// compareEqual orders records of equal keys.
func (s *sorter) compareEqual(x, y entry) int {
	if s.byValue {
		if c := bytes.Compare(s.arena.value(x), s.arena.value(y)); c != 0 {
			return c
		}
	}
	return cmp.Compare(x.loc, y.loc)
}

// commonPrefix returns the length in bytes of the longest common prefix of x and y.
func commonPrefix(x, y []byte) int {
	n := min(len(x), len(y))
	i := 0
	for ; i+8 <= n; i += 8 {
		if d := binary.LittleEndian.Uint64(x[i:]) ^ binary.LittleEndian.Uint64(y[i:]); d != 0 {
			return i + bits.TrailingZeros64(d)/8
		}
	}
	for ; i < n; i++ {
		if x[i] != y[i] {
			return i
		}
	}
	return n
}

// sortNumbers sorts entries by (prefix, loc). Their prefixes agree above the byte at shift.
func sortNumbers(entries []entry, shift int) {
	for len(entries) >= radixFrom && shift >= 0 {
		var counts [256]int
		for _, e := range entries {
			counts[byte(e.prefix>>shift)]++
		}
		if counts[byte(entries[0].prefix>>shift)] == len(entries) {
			shift -= 8 // all agree here, too
			continue
		}
		flag(entries, &counts, shift)
		at := 0
		for _, n := range counts {
			if n > 1 {
				sortNumbers(entries[at:at+n], shift-8)
			}
			at += n
		}
		return
	}
	quicksort(entries, 2*bits.Len(uint(len(entries))))
}

// flag permutes entries in place into the order of the byte at shift of their prefixes. Counts has
// the number of entries for each value of that byte.
func flag(entries []entry, counts *[256]int, shift int) {
	var heads, ends [256]int
	at := 0
	for b, n := range counts {
		heads[b] = at
		at += n
		ends[b] = at
	}
	for b := range 256 {
		for heads[b] < ends[b] {
			e := entries[heads[b]]
			for to := byte(e.prefix >> shift); int(to) != b; to = byte(e.prefix >> shift) {
				h := heads[to]
				e, entries[h] = entries[h], e
				heads[to] = h + 1
			}
			entries[heads[b]] = e
			heads[b]++
		}
	}
}

func less(x, y entry) bool {
	return x.prefix < y.prefix || x.prefix == y.prefix && x.loc < y.loc
}

// quicksort sorts entries, no two of which are equal, by (prefix, loc). After limit bad splits it
// leaves the rest to the standard library, whose worst case is O(n log n).
func quicksort(entries []entry, limit int) {
	for len(entries) > insertionTo {
		if limit == 0 {
			slices.SortFunc(entries, func(x, y entry) int {
				if less(x, y) {
					return -1
				}
				return 1
			})
			return
		}
		limit--
		pivot := median(entries[0], entries[len(entries)/2], entries[len(entries)-1])
		i, j := 0, len(entries)-1
		for {
			for less(entries[i], pivot) {
				i++
			}
			for less(pivot, entries[j]) {
				j--
			}
			if i >= j {
				break
			}
			entries[i], entries[j] = entries[j], entries[i]
			i++
			j--
		}
		quicksort(entries[:i], limit)
		entries = entries[i:]
	}
	for i := 1; i < len(entries); i++ {
		e := entries[i]
		j := i
		for ; j > 0 && less(e, entries[j-1]); j-- {
			entries[j] = entries[j-1]
		}
		entries[j] = e
	}
}

func median(x, y, z entry) entry {
	if less(y, x) {
		x, y = y, x
	}
	if less(z, y) {
		y = z
		if less(y, x) {
			y = x
		}
	}
	return y
}
