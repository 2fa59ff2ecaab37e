// Package sample makes data for trying jobs: with a natural skew, of any size, and with the same
// bytes on every machine for the same seed.
//
// A stream is a sequence of blocks. A block contains a fixed number of records, and depends only on
// the seed and the number of the block. So blocks can be made in parallel, and the stream does not
// depend on the number of workers. [Pieces] cuts the stream to a size and into files, between
// records. The package computes only with integers: floating-point results may differ between
// processors in their last bit.
package sample

import (
	"math/bits"
	"math/rand/v2"
	"time"
)

// A Source makes the blocks of an endless stream. Its methods are safe for concurrent use.
type Source interface {
	// AppendBlock appends block n to dst: about 100 KiB of whole records. Every record ends in a
	// line feed and contains no other.
	AppendBlock(dst []byte, n uint64) []byte

	// Header returns the beginning of every file, before the records; it may be empty.
	Header() []byte
}

// epoch is the time of the first record in sources with times.
var epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// blockRand returns the random numbers of block n.
func blockRand(seed, n uint64) *rand.PCG { return rand.NewPCG(seed, n) }

// below maps a random number uniformly to 0, …, n-1.
func below(random, n uint64) uint64 {
	hi, _ := bits.Mul64(random, n)
	return hi
}
