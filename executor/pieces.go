package executor

import (
	"cmp"
	"math"
	"slices"

	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/input"
)

// How much of the input is sampled: so many bytes for each partition, within bounds, in so many
// pieces at least, and several for each partition, for neighbouring records may have
// neighbouring keys.
const (
	sampledPerPartition  = 256 << 10
	minSampled, mostRead = 4 << 20, 16 << 20
	piecesPerPartition   = 4
	minPieces, maxPieces = 100, 2000
	// minPiece is the least that is read at once, in bytes.
	minPiece = 16 << 10
)

// sampledBytes is how many bytes of records are sampled for so many partitions.
func sampledBytes(partitions int) int64 {
	return min(max(int64(partitions)*sampledPerPartition, minSampled), mostRead)
}

// samplePieces is in how many pieces they are read.
func samplePieces(partitions int) int {
	return min(max(partitions*piecesPerPartition, minPieces), maxPieces)
}

// piece is a part of the input that is sampled.
type piece struct {
	split  input.Split
	budget int64 // bytes of records from its start on that are wanted
}

// spreadOver returns n of the numbers below total, evenly spread, or all if there are no more.
func spreadOver(total, n int) []int {
	n = min(n, total)
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = int(int64(i) * int64(total) / int64(n))
	}
	return numbers
}

// choosePieces returns n pieces, evenly spread over splits, to read so many bytes of records from,
// or everything if that is no more. It depends on nothing but what it is given. Each piece goes on to the next
// one's stretch, so that it has a record to give even where these are large. Of a split
// that can't be cut only the beginning is read, as much of it as there are pieces in it. The
// pieces are in no order of the input: whoever reads only some of them has read from everywhere.
func choosePieces(splits []input.Split, format input.Format, n int, bytes int64) []piece {
	var total int64
	for _, s := range splits {
		total += s.Length
	}
	var pieces []piece
	if total <= bytes {
		for _, s := range splits {
			pieces = append(pieces, piece{split: s, budget: math.MaxInt64})
		}
		return scatter(pieces)
	}
	stretch, budget := total/int64(n), bytes/int64(n)
	next, start := 0, int64(0) // of the splits, laid end to end
	for i := range int64(n) {
		at := i*stretch + int64(scramble(uint64(i))%uint64(stretch-budget+1))
		for ; next < len(splits) && start+splits[next].Length <= at; next++ {
			start += splits[next].Length
		}
		s := splits[next]
		if !input.Splittable(s.Input, format) {
			if last := len(pieces) - 1; last >= 0 && pieces[last].split == s {
				pieces[last].budget += budget
			} else {
				pieces = append(pieces, piece{split: s, budget: budget})
			}
			continue
		}
		end := min(s.Offset+s.Length, s.Offset+(i+1)*stretch-start)
		s.Offset += at - start
		s.Length = end - s.Offset
		pieces = append(pieces, piece{split: s, budget: budget})
	}
	return scatter(pieces)
}

// scatter puts pieces into an order that has nothing to do with where they lie.
func scatter(pieces []piece) []piece {
	type place struct {
		piece
		at uint64
	}
	places := make([]place, len(pieces))
	for i, p := range pieces {
		places[i] = place{p, scramble(uint64(i))}
	}
	slices.SortFunc(places, func(x, y place) int { return cmp.Compare(x.at, y.at) })
	for i, p := range places {
		pieces[i] = p.piece
	}
	return pieces
}

// scramble returns a number that looks random, the same for the same n.
func scramble(n uint64) uint64 { return shuffle.Mix((n + 1) * 0x9e3779b97f4a7c15) }
