package shuffle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"sort"

	"github.com/cespare/xxhash/v2"
)

// MaxPartitions is the most partitions that a file may have.
const MaxPartitions = 1 << 20

// Partitioner maps a key to one of Partitions partitions.
//
// With nil Boundaries it hashes: the high 64 bits of the 128-bit product xxHash64(key, seed 0) x
// Partitions, which spreads as evenly as the remainder and needs no division (Lemire, "Fast random
// integer generation in an interval", 2019). With Boundaries the partition is the number of boundaries
// <= key, so that partitions follow each other in the order of their keys; Boundaries must be
// sorted and one fewer than Partitions.
type Partitioner struct {
	Partitions int
	Boundaries [][]byte
}

// Partition returns key's partition, in [0,Partitions).
func (p *Partitioner) Partition(key []byte) int {
	if p.Boundaries == nil {
		high, _ := bits.Mul64(xxhash.Sum64(key), uint64(p.Partitions))
		return int(high)
	}
	return sort.Search(len(p.Boundaries), func(i int) bool { return bytes.Compare(p.Boundaries[i], key) > 0 })
}

func (p *Partitioner) validate() error {
	if p.Partitions < 1 || p.Partitions > MaxPartitions {
		return fmt.Errorf("%d partitions: want 1 to %d", p.Partitions, MaxPartitions)
	}
	if p.Boundaries == nil {
		return nil
	}
	if len(p.Boundaries) != p.Partitions-1 {
		return fmt.Errorf("%d boundaries for %d partitions: want one fewer", len(p.Boundaries), p.Partitions)
	}
	for i := 1; i < len(p.Boundaries); i++ {
		if bytes.Compare(p.Boundaries[i-1], p.Boundaries[i]) > 0 {
			return fmt.Errorf("partition boundary %d is less than the one before", i)
		}
	}
	return nil
}

// router is a Partitioner made ready for many keys: it compares boundaries by their cached
// prefixes first.
type router struct {
	Partitioner
	prefixes []uint64
}

func newRouter(p Partitioner) router {
	r := router{Partitioner: p}
	for _, b := range p.Boundaries {
		r.prefixes = append(r.prefixes, keyPrefix(b))
	}
	return r
}

// route returns key's partition; prefix is keyPrefix(key).
func (r *router) route(key []byte, prefix uint64) int {
	if r.Partitions == 1 {
		return 0
	}
	if r.Boundaries == nil {
		high, _ := bits.Mul64(xxhash.Sum64(key), uint64(r.Partitions))
		return int(high)
	}
	low, high := 0, len(r.prefixes)
	for low < high {
		middle := int(uint(low+high) / 2)
		boundary := r.prefixes[middle]
		if boundary < prefix || boundary == prefix && bytes.Compare(r.Boundaries[middle], key) <= 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// keyPrefix returns the first 8 bytes of key as a big-endian number, padded with zero bytes: it orders
// keys as far as it reaches.
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
