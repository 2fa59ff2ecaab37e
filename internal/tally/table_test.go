package tally

import (
	"bytes"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/internal/record"
)

func TestWordsTellKeysApart(t *testing.T) {
	seen := map[slot]string{}
	r := rand.New(rand.NewPCG(18, 19))
	for range 20_000 {
		key := make([]byte, r.IntN(inlineKey+1))
		for i := range key {
			key[i] = byte(r.IntN(2))
		}
		a, b := words(key)
		s := slot{a: a, b: b, size: uint64(len(key))}
		if other, ok := seen[s]; ok && other != string(key) {
			t.Fatalf("%q and %q look the same", other, key)
		}
		seen[s] = string(key)
		masks := keyMasks[len(key)]
		x, y := words(append(bytes.Clone(key), bytes.Repeat([]byte{0xff}, inlineKey-len(key))...))
		if x&masks[0] != a || y&masks[1] != b {
			t.Fatalf("masks for %d bytes disagree with words", len(key))
		}
	}
}

// All ways to add come to the same, in a table that grows, fills up, and is drained.
func TestAllWaysToAddAreOne(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, columns := range map[string]record.Columns{
		"sum": {record.Sum}, "min": {record.Min}, "max": {record.Max}, "three": {record.Sum, record.Min, record.Max},
	} {
		want, got := map[string][]*big.Int{}, map[string][]*big.Int{}
		merge := func(into map[string][]*big.Int, key string, value []*big.Int) {
			old := into[key]
			if old == nil {
				into[key] = value
				return
			}
			for i, op := range columns {
				switch c := old[i].Cmp(value[i]); {
				case op == record.Sum:
					old[i] = new(big.Int).Add(old[i], value[i])
				case op == record.Min && c > 0 || op == record.Max && c < 0:
					old[i] = value[i]
				}
			}
		}
		table, drains := New(columns, 200<<10, 16), 0
		drain := func() {
			drains++
			totals := make([]record.Total, len(columns))
			err := table.Each(func(key, value []byte) error {
				var ints []*big.Int
				err := columns.DecodeTotals(totals, value)
				for _, total := range totals {
					ints = append(ints, total.Big())
				}
				merge(got, string(key), ints)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			table.Reset()
		}
		for range 50_000 {
			key := fmt.Sprint(r.IntN(4000)) + strings.Repeat("k", r.IntN(3)*9)
			ints, big64 := make([]int64, len(columns)), make([]*big.Int, len(columns))
			for i := range ints {
				ints[i] = []int64{1, -5, r.Int64(), -r.Int64()}[r.IntN(4)]
				big64[i] = big.NewInt(ints[i])
			}
			merge(want, key, big64)
			add := func() bool {
				k := table.Key([]byte(key))
				if k.Short() != (len(key) <= inlineKey) || k.Short() && string(k.Bytes(nil)) != key {
					t.Fatalf("%q is taken for another key", key)
				}
				table.Fetch([]Key{k})
				switch way := r.IntN(4); {
				case way == 0:
					block := record.Append(nil, []byte(key), record.AppendInts(nil, ints...))
					n, err := table.Insert(block)
					if err != nil {
						t.Fatal(err)
					}
					return n == len(block)
				case way == 1 && len(columns) == 1:
					return table.Add([]byte(key), ints[0])
				case way == 2 && len(columns) == 1 && k.Short():
					if columns[0] == record.Sum && r.IntN(2) == 0 {
						return table.CountKeys([]Key{k}, ints) == 1
					}
					return columns[0] == record.Sum && table.CountKey(&k, ints[0]) || table.AddKey(&k, ints[0])
				}
				return table.AddInts([]byte(key), ints)
			}
			if !add() {
				drain()
				if !add() {
					t.Fatalf("%q does not fit the empty table", key)
				}
			}
		}
		drain()
		if drains < 3 {
			t.Errorf("%s: drained %d times only", name, drains)
		}
		same := func(a, b []*big.Int) bool { return fmt.Sprint(a) == fmt.Sprint(b) }
		if !maps.EqualFunc(got, want, same) {
			t.Errorf("%s: the totals are wrong", name)
		}
	}
}
