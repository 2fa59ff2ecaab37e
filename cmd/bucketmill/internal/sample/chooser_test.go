package sample

import (
	"math/rand/v2"
	"testing"
)

// TestChooserIsExact adds up the columns: a weight's share of the columns is its share of the
// draws.
func TestChooserIsExact(t *testing.T) {
	for name, weights := range map[string][]uint64{
		"one":    {5},
		"even":   {1, 1, 1},
		"uneven": {1, 0, 1000, 7, 3},
		"zipf":   {1 << 40, 1 << 39, (1 << 40) / 3, 1 << 38, (1 << 40) / 5},
	} {
		var total uint64
		for _, w := range weights {
			total += w
		}
		draws := make([]float64, len(weights))
		for i, c := range newChooser(weights) {
			keep := float64(c.keep) / (1 << 32)
			draws[i] += keep
			draws[c.alias] += 1 - keep
		}
		for i, w := range weights {
			got, want := draws[i]/float64(len(weights)), float64(w)/float64(total)
			if got < want-1e-8 || got > want+1e-8 {
				t.Errorf("%s: index %d is drawn with %g, want %g", name, i, got, want)
			}
		}
	}
}

func TestZipfDraws(t *testing.T) {
	const draws = 1_000_000
	zipf := newZipf(DefaultVocabulary)
	random := rand.NewPCG(1, 1)
	counts := make([]int, DefaultVocabulary)
	for range draws {
		counts[zipf.choose(random.Uint64())]++
	}
	const harmonic = 12.783 // 1 + 1/2 + … + 1/200,000
	for _, i := range []int{0, 1, 2, 9, 99} {
		want := draws / harmonic / float64(i+1)
		if got := float64(counts[i]); got < want*0.9 || got > want*1.1 {
			t.Errorf("index %d was drawn %.0f times, want about %.0f", i, got, want)
		}
	}
}
