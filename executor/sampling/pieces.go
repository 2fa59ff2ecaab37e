package sampling

import (
	"cmp"
	"math"
	"slices"

	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/input"
)

// How much of the input is sampled. There are many pieces, several for each partition, since
// neighbouring records may have neighbouring keys.
const (
	sampledPerPartition  = 256 << 10         // bytes of records
	minSampled, mostRead = 4 << 20, 16 << 20 // limits of these bytes in all
	piecesPerPartition   = 4
	minPieces, maxPieces = 100, 2000
	minPiece             = 16 << 10 // the least number of bytes that is read at once
)

// sampledBytes returns how many bytes of records are sampled for a number of partitions.
func sampledBytes(partitions int) int64 {
	return min(max(int64(partitions)*sampledPerPartition, minSampled), mostRead)
}

// samplePieces returns how many pieces these bytes are read in.
func samplePieces(partitions int) int {
	return min(max(partitions*piecesPerPartition, minPieces), maxPieces)
}

// piece is a part of the input that is sampled.
type piece struct {
	split  input.Split
	budget int64 // bytes of records to read from its start
}

// spreadOver returns n of the numbers below total, evenly spread, or all of them if they are fewer.
func spreadOver(total, n int) []int {
	n = min(n, total)
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = int(int64(i) * int64(total) / int64(n))
	}
	return numbers
}

// choosePieces returns n pieces, evenly spread over the splits, with a budget of that many bytes of
// records together. If the splits have no more bytes, it returns all of them. The result depends on
// the arguments only. Each piece extends to the stretch of the next one, so that it contains a
// record even if records are large. A split that can't be cut is read from its beginning, with the
// budget of all pieces in it. The order of the pieces has nothing to do with the order of the
// input, so that the first few pieces come from everywhere.
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
	next, start := 0, int64(0) // the current split, and its place if all splits are laid end to end
	for i := range int64(n) {
		at := i*stretch + int64(scramble(uint64(i))%uint64(stretch-budget+1))
		for ; next < len(splits) && start+splits[next].Length <= at; next++ {
			start += splits[next].Length
		}
		s := splits[next]
		if !format.Splittable(s.Input) {
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

// scatter puts pieces into an order that has nothing to do with their places in the input.
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

// scramble returns a number that looks random, and is the same for the same n.
func scramble(n uint64) uint64 { return shuffle.Mix((n + 1) * 0x9e3779b97f4a7c15) }
