package record

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

var extremes = []int64{
	0, 1, -1, 63, -64, 64, math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1, 1 << 62, -1 << 62,
}

func someInt(r *rand.Rand) int64 {
	if r.IntN(2) == 0 {
		return extremes[r.IntN(len(extremes))]
	}
	return int64(r.Uint64()) >> r.IntN(64)
}

// In whatever way values are merged, encoded and decoded, the totals are those of math/big.
func TestTotalsAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	columns := Columns{Sum, Min, Sum, Max}
	for range 300 {
		want := make([]*big.Int, len(columns))
		var partial [][]byte // together they are all values
		for range 1 + r.IntN(200) {
			ints := make([]int64, len(columns))
			for i, op := range columns {
				ints[i] = someInt(r)
				n := big.NewInt(ints[i])
				switch {
				case want[i] == nil:
					want[i] = n
				case op == Sum:
					want[i] = new(big.Int).Add(want[i], n)
				case op == Min && n.Cmp(want[i]) < 0, op == Max && n.Cmp(want[i]) > 0:
					want[i] = n
				}
			}
			partial = append(partial, AppendInts(nil, ints...))
		}
		a, b := make([]Total, len(columns)), make([]Total, len(columns))
		for len(partial) > 1 {
			i := r.IntN(len(partial) - 1)
			if err := errors.Join(columns.DecodeTotals(a, partial[i]), columns.DecodeTotals(b, partial[i+1])); err != nil {
				t.Fatal(err)
			}
			columns.MergeTotals(a, b)
			partial = slices.Replace(partial, i, i+2, AppendTotals(nil, a))
		}
		if err := columns.DecodeTotals(a, partial[0]); err != nil {
			t.Fatal(err)
		}
		for i := range columns {
			text := string(a[i].AppendText(nil))
			nearest, _ := want[i].Float64()
			if a[i].Big().Cmp(want[i]) != 0 || text != want[i].String() || a[i].Float64() != nearest {
				t.Fatalf("column %d: want %v, have %v, as text %s, as a float %v", i, want[i], a[i].Big(), text, a[i].Float64())
			}
		}
	}
}

// Merge adds exactly, or returns false and changes no sum.
func TestMergeDoesNotOverflow(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	columns := Columns{Sum, Max, Sum, Min, Sum}
	refused := 0
	for range 20000 {
		into, from := make([]int64, len(columns)), make([]int64, len(columns))
		a, b := make([]Total, len(columns)), make([]Total, len(columns))
		for i := range columns {
			into[i], from[i] = someInt(r), someInt(r)
			a[i], b[i] = TotalOf(into[i]), TotalOf(from[i])
		}
		columns.MergeTotals(a, b)
		fits := true
		for _, total := range a {
			_, ok := total.Int64()
			fits = fits && ok
		}
		before := slices.Clone(into)
		if ok := columns.Merge(into, from); ok != fits {
			t.Fatalf("%v and %v: merged: %v, the totals fit: %v", before, from, ok, fits)
		}
		for i, op := range columns {
			want := a[i]
			if !fits && op == Sum {
				want = TotalOf(before[i])
			}
			if fits || op == Sum {
				if TotalOf(into[i]) != want {
					t.Fatalf("%v and %v: column %d is %d", before, from, i, into[i])
				}
			}
		}
		if !fits {
			refused++
		}
	}
	if refused < 1000 {
		t.Errorf("only %d of the sums overflow", refused)
	}
}

func TestDecodeColumnsRefusesOtherBytes(t *testing.T) {
	wide := AppendTotals(nil, []Total{{Hi: math.MinInt64}, {Hi: math.MaxInt64, Lo: math.MaxUint64}, TotalOf(1)})
	if want := 2*MaxTotalLen + 1; len(wide) != want {
		t.Fatalf("%d bytes, want %d", len(wide), want)
	}
	columns := Columns{Sum, Sum, Sum}
	totals, ints := make([]Total, 3), make([]int64, 3)
	for n := range len(wide) {
		if err := columns.DecodeTotals(totals, wide[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if err := columns.Decode(ints, wide); !errors.Is(err, ErrCorrupt) {
		t.Errorf("as integers of 64 bits: %v", err)
	}
	long := slices.Repeat([]byte{0x80}, MaxTotalLen-1)
	for _, bad := range [][]byte{
		append(slices.Clone(wide), 0),
		append(append(slices.Clone(long), 4), 0, 0), // one bit too many
		append(append(slices.Clone(long), 0x83), 0, 0, 0),
	} {
		if err := columns.DecodeTotals(totals, bad); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x: %v, %v", bad, totals, err)
		}
	}
}
