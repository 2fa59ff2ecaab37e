package builtin

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

// Sums beyond 64 bits equal those of math/big, also if values were combined before.
func TestAggregateSumsAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	numbers := []int64{math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, 1 << 62, 1, -1, 0}
	type totals struct{ sum, least, most, count, other *big.Int }
	want := map[string]*totals{}
	var text strings.Builder
	for range 5000 {
		key, n, m := fmt.Sprint("k", r.IntN(40)), numbers[r.IntN(len(numbers))], int64(r.Uint64())
		fmt.Fprintf(&text, "%s\t%d\t%d\t%d\t%d\n", key, n, n, n, m)
		w := want[key]
		if w == nil {
			w = &totals{new(big.Int), big.NewInt(n), big.NewInt(n), new(big.Int), new(big.Int)}
			want[key] = w
		}
		w.sum.Add(w.sum, big.NewInt(n))
		w.other.Add(w.other, big.NewInt(m))
		w.count.Add(w.count, big.NewInt(1))
		if n := big.NewInt(n); n.Cmp(w.least) < 0 {
			w.least = n
		} else if n.Cmp(w.most) > 0 {
			w.most = n
		}
	}
	var wanted []string
	beyond := 0
	for key, w := range want {
		wanted = append(wanted, fmt.Sprintf("%s\t%v\t%v\t%v\t%v\t%v", key, w.sum, w.least, w.most, w.count, w.other))
		if !w.sum.IsInt64() {
			beyond++
		}
	}
	slices.Sort(wanted)
	got := programtest.Run(t, open(t, "aggregate", "ops", "sum,min,max,count,sum", "strict", "true"), programtest.Lines("f", text.String(), 1000))
	if !slices.Equal(got, wanted) || beyond == 0 {
		t.Errorf("want %q, have %q; %d sums are beyond 64 bits", wanted, got, beyond)
	}
}

func TestActivityAmountsAreExact(t *testing.T) {
	rows := strings.Repeat("1,9000000000000,ann,2026-01-01T00:00:00Z,buy\n", 3) +
		strings.Repeat("2,-9223372036853.775807,bob,2026-01-01T00:00:00Z,buy\n", 5) +
		"3,9223372036853.775807,cy,2026-01-01T00:00:00Z,buy\n3,9223372036853.775807,cy,2026-01-01T00:00:00Z,buy\n3,0.000001,cy,2026-01-02T00:00:00Z,buy\n"
	want := []string{
		"ann\t3\t27000000000000.00\t2026-01-01T00:00:00Z\t2026-01-01T00:00:00Z",
		"bob\t5\t-46116860184268.879035\t2026-01-01T00:00:00Z\t2026-01-01T00:00:00Z",
		"cy\t3\t18446744073707.551615\t2026-01-01T00:00:00Z\t2026-01-02T00:00:00Z",
	}
	if got := programtest.Run(t, open(t, "activity", "strict", "true"), activityBatches(rows, 100)); !slices.Equal(got, want) {
		t.Errorf("want %q, have %q", want, got)
	}
}
