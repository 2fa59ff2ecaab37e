// Package sample makes data to try jobs on: natural in its skew, as large as one likes, and the
// same bytes on every machine for the same seed.
//
// A stream is a sequence of blocks. A block holds a fixed number of records, and depends on
// nothing but the seed and its own number, so that blocks are made in parallel and the stream
// does not depend on how many workers there were. [Pieces] cuts it to a size and into files,
// between records. Only integers are computed with: floating-point results may differ
// between processors in their last bit.
package sample

import (
	"math/bits"
	"math/rand/v2"
	"time"
)

// A Source makes the blocks of a stream that has no end. Its methods are safe for concurrent
// use.
type Source interface {
	// AppendBlock appends block n, which is some 100 KiB of whole records, to dst. Every
	// record ends in a line feed and has no other.
	AppendBlock(dst []byte, n uint64) []byte

	// Header is what every file starts with, before its records; it may be empty.
	Header() []byte
}

// epoch is the time of the first record of sources that have times.
var epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// blockRand returns the random numbers of block n.
func blockRand(seed, n uint64) *rand.PCG { return rand.NewPCG(seed, n) }

// below maps a random number evenly to 0, …, n-1.
func below(random, n uint64) uint64 {
	hi, _ := bits.Mul64(random, n)
	return hi
}
