package tally

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestSumsAreExactWhateverTheirSize(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := NewSums(64 << 10)
	want, got := map[string]*big.Int{}, map[string]*big.Int{}
	add := func(to map[string]*big.Int, key string, n int64) {
		if to[key] == nil {
			to[key] = new(big.Int)
		}
		to[key].Add(to[key], big.NewInt(n))
	}
	drain := func() {
		if err := s.Drain(func(key []byte, sum int64) error { add(got, string(key), sum); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	numbers := []int64{1, -1, 0, 7, math.MaxInt64, math.MinInt64 + 1, math.MaxInt32, 1 << 62}
	drains := 0
	for range 20000 {
		key := fmt.Sprint(r.IntN(3000))
		key += strings.Repeat("k", r.IntN(4)*7)
		n := numbers[r.IntN(len(numbers))]
		add(want, key, n)
		if !s.Add([]byte(key), n) {
			drains++
			drain()
			if s.table.used > 0 || !s.Add([]byte(key), n) {
				t.Fatalf("%q does not fit the empty table", key)
			}
		}
	}
	drain()
	if drains < 3 {
		t.Errorf("only %d times full", drains)
	}
	if !maps.EqualFunc(got, want, func(a, b *big.Int) bool { return a.Cmp(b) == 0 }) {
		t.Errorf("want %v, have %v", want, got)
	}
}

func TestSumsRefuseWhatNeverFits(t *testing.T) {
	s := NewSums(64 << 10)
	if s.Add(make([]byte, 1<<20), 1) || s.Add([]byte("x"), math.MinInt64) {
		t.Error("taken")
	}
	if s.table.used > 0 {
		t.Error("not empty")
	}
}

func TestSumsDrainStopsAtAnError(t *testing.T) {
	s := NewSums(64 << 10)
	s.Add([]byte("a"), 1)
	s.Add([]byte("b"), 1)
	stop, calls := errors.New("stop"), 0
	if err := s.Drain(func([]byte, int64) error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}
