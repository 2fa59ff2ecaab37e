package sample

import "math/bits"

// A chooser draws indexes by weight in constant time: Walker's alias method ("New fast method
// for generating discrete random numbers with arbitrary frequency distributions", 1974), with
// the tables built as Vose does (1991), in integers.
type chooser []column

// A column is an index's share of the draws: of 2^32 draws that hit it, keep go to the index
// itself and the others to the alias.
type column struct{ keep, alias uint32 }

// newChooser returns a chooser of the indexes of weights. A weight times the number of weights must
// not exceed 2^63, and their sum must be above 0.
func newChooser(weights []uint64) chooser {
	n := uint64(len(weights))
	var total uint64
	for _, w := range weights {
		total += w
	}
	// In units of 1/n of a weight every column has room for total: the excess of an index moves
	// into the columns of indexes that have less.
	columns := make(chooser, n)
	share := make([]uint64, n)
	var small, large []uint32
	for i, w := range weights {
		share[i] = w * n
		columns[i].alias = uint32(i)
		if share[i] < total {
			small = append(small, uint32(i))
		} else {
			large = append(large, uint32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		hi, lo := bits.Mul64(share[s], 1<<32)
		keep, _ := bits.Div64(hi, lo, total)
		columns[s] = column{keep: uint32(keep), alias: l}
		share[l] -= total - share[s]
		if share[l] < total {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	return columns // the remaining columns are full, and their own aliases
}

// newZipf returns a chooser by Zipf's law with the exponent 1: index i is drawn in proportion to
// 1/(i+1). n is at most 2^22.
func newZipf(n int) chooser {
	weights := make([]uint64, n)
	for i := range weights {
		weights[i] = 1 << 40 / uint64(i+1)
	}
	return newChooser(weights)
}

// choose maps a random number to an index.
func (c chooser) choose(random uint64) int {
	own := uint32((random >> 32) * uint64(len(c)) >> 32)
	column := c[own]
	i := column.alias
	if uint32(random) < column.keep { // compiles to a conditional move: a branch could not be predicted
		i = own
	}
	return int(i)
}
