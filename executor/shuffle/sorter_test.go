package shuffle

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bucketmill/bucketmill/internal/record"
)

// TestSortEqualsStableSort has enough records for radix passes at every depth.
func TestSortEqualsStableSort(t *testing.T) {
	for name, key := range keyKinds {
		for _, byValue := range []bool{false, true} {
			r := rand.New(rand.NewPCG(14, 15))
			routes := newRouter(Partitioner{Partitions: 3}, 0)
			a := newArena(&routes)
			want := make([][]kv, 3)
			e := record.NewEmitter(64<<10, func(block []byte) ([]byte, error) {
				return a.fresh(64 << 10), a.add(block, countRecords(block))
			})
			for i := range 20_000 / raceScale {
				next := kv{key(r), randomBytes(r, 2, 3)}
				if i%2 == 0 {
					next.key = "a common prefix " + next.key
				}
				e.Emit([]byte(next.key), []byte(next.value))
				p := routes.Partition([]byte(next.key))
				want[p] = append(want[p], next)
			}
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
			for p, entries := range a.sort(byValue) {
				slices.SortStableFunc(want[p], func(x, y kv) int {
					if c := cmp.Compare(x.key, y.key); c != 0 || !byValue {
						return c
					}
					return cmp.Compare(x.value, y.value)
				})
				var got []kv
				for _, e := range entries {
					got = append(got, kv{string(a.key(e)), string(a.value(e))})
				}
				if !slices.Equal(got, want[p]) {
					t.Errorf("%s, by value %v: partition %d differs", name, byValue, p)
				}
			}
		}
	}
}

func TestQuicksort(t *testing.T) {
	r := rand.New(rand.NewPCG(16, 17))
	shapes := map[string]func(i int) uint64{
		"random":   func(int) uint64 { return r.Uint64() },
		"sorted":   func(i int) uint64 { return uint64(i) },
		"reversed": func(i int) uint64 { return uint64(5000 - i) },
		"equal":    func(int) uint64 { return 7 },
		"organ":    func(i int) uint64 { return uint64(min(i, 5000-i)) },
	}
	for name, shape := range shapes {
		for _, limit := range []int{0, 3, 24} { // 0 and 3 leave work to the standard library
			entries := make([]entry, 5000)
			for i := range entries {
				entries[i] = entry{prefix: shape(i), loc: uint64(i)}
			}
			r.Shuffle(len(entries)/3, func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
			quicksort(entries, limit)
			if !slices.IsSortedFunc(entries, func(x, y entry) int {
				return cmp.Or(cmp.Compare(x.prefix, y.prefix), cmp.Compare(x.loc, y.loc))
			}) {
				t.Errorf("%s with limit %d is not sorted", name, limit)
			}
		}
	}
}
