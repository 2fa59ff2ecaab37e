package shuffle

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
)

// A table with sums beyond 64 bits stays within its memory, and the records that it drains to have
// the right sums, whether the counts come as records or by AddCounts.
func TestSumsBeyond64BitsInTheTable(t *testing.T) {
	for name, columns := range map[string]record.Columns{
		"one": {record.Sum}, "several": {record.Min, record.Sum, record.Sum},
	} {
		for _, memory := range []int64{MinMemory, 4 << 20} {
			t.Run(fmt.Sprint(name, memory), func(t *testing.T) {
				cfg := CollectorConfig{
					Identity: testIdentity, Partitioner: Partitioner{Partitions: 1}, Combine: Combine{Columns: columns},
					Memory: memory, Scratch: filepath.Join(t.TempDir(), "s"),
				}
				c, err := NewCollector(cfg)
				if err != nil {
					t.Fatal(err)
				}
				r := rand.New(rand.NewPCG(7, 8))
				want := map[string]*big.Int{}
				wide := 0
				for range 60000 {
					key := fmt.Sprint(r.IntN(900))
					key += strings.Repeat("k", r.IntN(2)*20)
					n := extremes[r.IntN(len(extremes))]
					if want[key] == nil {
						want[key] = new(big.Int)
					}
					want[key].Add(want[key], big.NewInt(n))
					if len(columns) == 1 && r.IntN(2) == 0 {
						c.AddCounts([][]byte{[]byte(key)}, n)
						continue
					}
					ints := make([]int64, len(columns))
					ints[len(ints)-1] = n
					c.Emitter().Emit([]byte(key), record.AppendInts(nil, ints...))
					if c.table != nil {
						wide = max(wide, c.table.Wide())
						if held := c.table.Bytes() + c.table.Drained(); held > c.usable {
							t.Fatalf("the table takes %d bytes of %d", held, c.usable)
						}
					}
				}
				var file strings.Builder
				m, err := c.Finish(t.Context(), &file)
				if err != nil {
					t.Fatal(err)
				}
				if wide == 0 {
					t.Error("no sum in the table has outgrown 64 bits")
				}
				got, _ := mergeAll(t, MergeConfig{Memory: 1 << 20, Combine: cfg.Combine},
					[]segfile.Source{source("a", testIdentity, []byte(file.String()), m, 0)})
				if len(got) != len(want) {
					t.Fatalf("%d keys, want %d", len(got), len(want))
				}
				totals := make([]record.Total, len(columns))
				for _, rec := range got {
					if err := columns.DecodeTotals(totals, []byte(rec.value)); err != nil {
						t.Fatal(err)
					}
					if sum := totals[len(totals)-1].Big(); sum.Cmp(want[rec.key]) != 0 {
						t.Errorf("%s: want %v, have %v", rec.key, want[rec.key], sum)
					}
				}
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				checkEmpty(t, cfg.Scratch)
			})
		}
	}
}
