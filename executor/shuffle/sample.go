package shuffle

import (
	"bytes"
	"cmp"
	"slices"
	"sort"
)

const (
	// sampleBytes and sampleKeys bound what a KeySample holds: at most so many bytes of keys, and so
	// many keys.
	sampleBytes = 4 << 20
	sampleKeys  = 1 << 17
	// sampleKeyLen is how many bytes of a key are looked at.
	sampleKeyLen = 4 << 10
)

// KeySample is a sample of a job's keys, from which boundaries between partitions are chosen.
// The same records, in the same order, give the same boundaries. It takes about 20 MiB of memory
// at most. The zero KeySample is empty and ready to use.
type KeySample struct {
	// Distinct says that few records of each key reach the partitions, since they are combined on
	// the way: a key weighs as much as its longest record, however many the sample has.
	Distinct bool

	keys   []sampledKey
	bytes  int
	thin   uint64 // keys are kept whose mark is at least this
	offers uint64 // keys that were offered
}

type sampledKey struct {
	key    []byte
	whole  bool
	weight int64  // bytes
	mark   uint64 // evenly distributed
}

// Add takes a record's key in, which it copies, and the record's length in bytes, by which partitions are made
// equally large. When there are too many keys a half is left out, by a hash of their ordinals.
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

// Mix returns a number that looks random, the same for the same x: it is the finalizer of SplitMix64
// (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
func Mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Partitioner returns the ranges of keys in which so many partitions get as equal parts of the sample as
// can be: the largest part is as small as possible, but for keys that alone are larger.
//
// Such a heavy key gets a partition of its own, and the other keys are spread evenly over
// the rest. If spread says that records of one key need not meet, it gets as many partitions as
// it takes for none to be larger than the others.
func (s *KeySample) Partitioner(partitions int, spread bool) Partitioner {
	groups := s.groups()
	var total int64
	for _, g := range groups {
		total += g.weight
	}
	// Fewer partitions are needed the larger they may be.
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

// groups returns the different keys of the sample in their order, with their weights.
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

// packing puts keys into partitions in their order, each as full as it may get.
type packing struct {
	room   int64 // bytes that a partition may have
	spread bool
	keep   bool // or only count partitions

	partitions int
	used       int64 // of the last partition
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

// open begins a partition with a key.
func (p *packing) open(g sampledKey, heavy bool) {
	p.partitions++
	if p.partitions == 1 || !p.keep {
		return
	}
	boundary := separator(p.last.key, g.key)
	switch {
	case heavy: // keys shortly before it are not to sit with it
		boundary = g.key
	case p.used > p.room && p.last.whole: // nor those shortly after it
		boundary = append(bytes.Clone(p.last.key), 0)
	}
	p.boundaries = append(p.boundaries, boundary)
}

// separator returns the shortest beginning of the greater of two keys that is greater than the lesser one.
func separator(lesser, greater []byte) []byte {
	return greater[:commonPrefix(lesser, greater)+1]
}
