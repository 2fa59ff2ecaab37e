package shuffle

import (
	"bytes"
	"cmp"
	"slices"
	"sort"
)

const (
	// sampleBytes and sampleKeys limit a KeySample: the total bytes of its keys, and their number.
	sampleBytes = 4 << 20
	sampleKeys  = 1 << 17
	// sampleKeyLen is how many bytes of a key are considered.
	sampleKeyLen = 4 << 10
)

// KeySample is a sample of a job's keys from which the boundaries between partitions are chosen.
// The same records in the same order give the same boundaries. It takes up to about 20 MiB of
// memory. The zero KeySample is empty and ready to use.
type KeySample struct {
	// Distinct says that few records of each key reach the partitions because they are combined on
	// the way: a key then weighs as much as its longest record, however often it is in the sample.
	Distinct bool

	keys   []sampledKey
	bytes  int
	thin   uint64 // the smallest mark of a key that is kept
	offers uint64 // keys that were offered
}

type sampledKey struct {
	key    []byte
	whole  bool
	weight int64  // bytes
	mark   uint64 // uniformly distributed
}

// Add adds a record's key, which it copies, with the record's length in bytes, by which the sizes
// of partitions are balanced. If there are too many keys, Add removes half of them, chosen by a
// hash of their ordinals.
func (s *KeySample) Add(key []byte, weight int64) {
	s.offers++
	mark := Mix(s.offers)
	if mark < s.thin {
		return
	}
	k := sampledKey{whole: len(key) <= sampleKeyLen, weight: weight, mark: mark}
	k.key = bytes.Clone(key[:min(len(key), sampleKeyLen)])
	s.keys = append(s.keys, k)
	s.bytes += len(k.key)
	for s.bytes > sampleBytes || len(s.keys) > sampleKeys {
		s.thin += (1<<64 - 1 - s.thin) / 2
		s.keys = slices.DeleteFunc(s.keys, func(k sampledKey) bool { return k.mark < s.thin })
		s.bytes = 0
		for _, k := range s.keys {
			s.bytes += len(k.key)
		}
	}
}

// Mix returns a number that looks random but is always the same for the same x: the finalizer of
// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
func Mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Partitioner returns ranges of keys that divide the sample into partitions as equally as possible:
// the largest partition is as small as possible, except for keys that alone are larger.
//
// Such a heavy key gets a partition to itself, and the other keys are distributed evenly over the
// rest. If spread says that the records of one key need not meet, a heavy key gets as many
// partitions as it takes to make none larger than the others.
func (s *KeySample) Partitioner(partitions int, spread bool) Partitioner {
	groups := s.groups()
	var total int64
	for _, g := range groups {
		total += g.weight
	}
	// The larger partitions may be, the fewer are needed.
	room := 1 + int64(sort.Search(int(total), func(room int) bool {
		p := packing{room: int64(room) + 1, spread: spread}
		for _, g := range groups {
			if p.pack(g); p.partitions > partitions {
				return false
			}
		}
		return true
	}))
	p := packing{room: room, spread: spread, keep: true}
	for _, g := range groups {
		p.pack(g)
	}
	return Partitioner{Partitions: partitions, Boundaries: p.boundaries, Spread: p.spans}
}

// groups returns the distinct keys of the sample in order, with their weights.
func (s *KeySample) groups() []sampledKey {
	slices.SortFunc(s.keys, func(x, y sampledKey) int {
		return cmp.Or(bytes.Compare(x.key, y.key), cmp.Compare(x.mark, y.mark))
	})
	var groups []sampledKey
	for _, k := range s.keys {
		if last := len(groups) - 1; last >= 0 && bytes.Equal(groups[last].key, k.key) {
			if s.Distinct {
				groups[last].weight = max(groups[last].weight, k.weight)
			} else {
				groups[last].weight += k.weight
			}
			groups[last].whole = groups[last].whole && k.whole
			continue
		}
		groups = append(groups, k)
	}
	return groups
}

// packing puts keys into partitions in their order and fills each as far as it may.
type packing struct {
	room   int64 // bytes that a partition may contain
	spread bool
	keep   bool // keep boundaries and spans; else only count partitions

	partitions int
	used       int64 // bytes of the last partition
	last       sampledKey
	boundaries [][]byte
	spans      []Span
}

func (p *packing) pack(g sampledKey) {
	heavy := g.weight > p.room
	if p.partitions == 0 || heavy || p.used > p.room-g.weight {
		p.open(g, heavy)
		p.used = 0
	}
	p.used += g.weight
	p.last = g
	if heavy && p.spread && g.whole {
		more := int((g.weight - 1) / p.room)
		if p.keep {
			p.spans = append(p.spans, Span{First: p.partitions - 1, Last: p.partitions - 1 + more})
			for range more {
				p.boundaries = append(p.boundaries, g.key)
			}
		}
		p.partitions += more
	}
}

// open starts a partition with a key.
func (p *packing) open(g sampledKey, heavy bool) {
	p.partitions++
	if p.partitions == 1 || !p.keep {
		return
	}
	boundary := separator(p.last.key, g.key)
	switch {
	case heavy: // smaller keys must not share its partition
		boundary = g.key
	case p.used > p.room && p.last.whole: // nor must greater ones
		boundary = append(bytes.Clone(p.last.key), 0)
	}
	p.boundaries = append(p.boundaries, boundary)
}

// separator returns the shortest prefix of greater that is greater than lesser.
func separator(lesser, greater []byte) []byte {
	return greater[:commonPrefix(lesser, greater)+1]
}
