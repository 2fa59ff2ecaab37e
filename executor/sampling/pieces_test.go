package sampling

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/input"
)

// Pieces are inside the splits, don't overlap, and are spread evenly over all splits. The same
// input gives the same pieces.
func TestPiecesAreSpreadEvenly(t *testing.T) {
	format, err := formats.Inputs.Parse("text", "")
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 6))
		var splits []input.Split
		var total int64
		for i := range 1 + r.IntN(50) {
			size := 1 + r.Int64N(1<<[]int{4, 14, 20}[r.IntN(3)])
			name := fmt.Sprintf("file:///in/%d%s", i, []string{"", ".gz"}[r.IntN(10)/9])
			splits = append(splits, input.Split{Input: name, Size: size, Length: size})
			total += size
		}
		n, bytes := 100, int64(100*(1+r.IntN(2000)))
		pieces := choosePieces(splits, format, n, bytes)
		if again := choosePieces(splits, format, n, bytes); !reflect.DeepEqual(pieces, again) {
			t.Fatalf("seed %d: other pieces the second time", seed)
		}
		if total <= bytes {
			if len(pieces) != len(splits) {
				t.Errorf("seed %d: %d pieces of %d splits that must be read whole", seed, len(pieces), len(splits))
			}
			continue
		}
		var budget int64
		budgets, ends := map[string]int64{}, map[string]map[int64]int64{}
		for _, p := range pieces {
			s := p.split
			if s.Length < 1 || s.Offset < 0 || s.Offset+s.Length > s.Size {
				t.Fatalf("seed %d: piece %v", seed, s)
			}
			if ends[s.Input] == nil {
				ends[s.Input] = map[int64]int64{}
			}
			for offset, end := range ends[s.Input] {
				if s.Offset < end && offset < s.Offset+s.Length {
					t.Errorf("seed %d: %v overlaps %d-%d", seed, s, offset, end)
				}
			}
			ends[s.Input][s.Offset] = s.Offset + s.Length
			budgets[s.Input] += p.budget
			budget += p.budget
		}
		if budget != bytes {
			t.Errorf("seed %d: %d bytes are read, not %d", seed, budget, bytes)
		}
		for _, s := range splits { // each has its share, plus or minus one piece at its ends
			share := s.Size * bytes / total
			if got := budgets[s.Input]; got < share-2*bytes/int64(n) || got > share+2*bytes/int64(n) {
				t.Errorf("seed %d: %d bytes are read of %v, its share is %d of %d", seed, got, s, share, bytes)
			}
		}
	}
}
