package shuffle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"sort"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/cespare/xxhash/v2"
)

// Partitioner maps a key to one of Partitions partitions.
//
// With nil Boundaries it hashes: the partition is the high 64 bits of the 128-bit product
// xxHash64(key, seed 0) x Partitions, which spreads keys as evenly as the remainder and needs no
// division (Lemire, "Fast random integer generation in an interval", 2019). With Boundaries the
// partition is the number of boundaries <= key, so partitions follow each other in the order of
// their keys; Boundaries must be sorted and fewer than Partitions. Partitions after the last
// boundary's stay empty.
type Partitioner struct {
	Partitions int
	Boundaries [][]byte
	// Spread lists, in order, the keys whose records are distributed over several partitions in
	// turn. It is allowed only where the records of one key need not meet.
	Spread []Span
}

// Span is a range of partitions that share the records of one key, which is the boundary before the
// last of them. The partitions are still in the order of keys: only the first may contain smaller
// keys, and only the last greater ones.
type Span struct {
	First, Last int
}

// Partition returns key's partition, in [0,Partitions); for a spread key, the last of its span.
func (p *Partitioner) Partition(key []byte) int {
	if p.Boundaries == nil {
		return p.hashed(key)
	}
	return sort.Search(len(p.Boundaries), func(i int) bool { return bytes.Compare(p.Boundaries[i], key) > 0 })
}

func (p *Partitioner) hashed(key []byte) int {
	high, _ := bits.Mul64(xxhash.Sum64(key), uint64(p.Partitions))
	return int(high)
}

func (p *Partitioner) validate() error {
	if p.Partitions < 1 || p.Partitions > segfile.MaxPartitions {
		return fmt.Errorf("%d partitions: want 1 to %d", p.Partitions, segfile.MaxPartitions)
	}
	if len(p.Boundaries) >= p.Partitions {
		return fmt.Errorf("%d boundaries for %d partitions: want fewer", len(p.Boundaries), p.Partitions)
	}
	for i := 1; i < len(p.Boundaries); i++ {
		if bytes.Compare(p.Boundaries[i-1], p.Boundaries[i]) > 0 {
			return fmt.Errorf("partition boundary %d is less than the previous one", i)
		}
	}
	for i, s := range p.Spread {
		if s.First < 0 || s.First >= s.Last || s.Last > len(p.Boundaries) || i > 0 && s.First <= p.Spread[i-1].Last {
			return fmt.Errorf("a key cannot be spread over partitions %d to %d", s.First, s.Last)
		}
		key := p.Boundaries[s.Last-1]
		if p.Partition(key) != s.Last || !bytes.Equal(p.Boundaries[s.First], key) {
			return fmt.Errorf("key %s cannot be spread over partitions %d to %d: its boundaries are elsewhere", record.Preview(key), s.First, s.Last)
		}
	}
	return nil
}

// keyPrefix returns the first 8 bytes of key as a big-endian number, padded with zeros. If two
// prefixes differ, they are in the order of their keys.
func keyPrefix(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var prefix uint64
	for i, b := range key {
		prefix |= uint64(b) << (56 - 8*i)
	}
	return prefix
}
