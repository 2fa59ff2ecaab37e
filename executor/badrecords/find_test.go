package badrecords

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
)

// trial has total units. It fails as a program does that reads ahead: somewhere behind the bad
// unit.
type trial struct {
	total int64
	fails func(from, until int64) int64 // the unit at which it fails, or -1
	ahead func() int64                  // how many more units it has read by then
	names func(unit int64) int64        // the unit that its error names, or -1
	tries int
}

var errBroken = errors.New("the store is broken")

func (w *trial) Try(_ context.Context, from, until int64) (int64, error) {
	w.tries++
	until = min(until, w.total)
	at := w.fails(from, until)
	if at < 0 {
		return max(from, until), nil
	}
	end := min(until, at+1+w.ahead())
	return end, &program.UserError{Program: "p", Message: "failed", Record: &program.RecordRef{Offset: w.names(at)}}
}

func (w *trial) Named(_ context.Context, from, until int64, why *program.UserError) (int64, error) {
	if unit := why.Record.Offset; unit >= from && unit < until {
		return unit, nil
	}
	return -1, nil
}

func (w *trial) Describe(_ context.Context, unit int64) (Record, error) {
	return Record{Record: unit}, nil
}

func nobody(int64) int64 { return -1 }

func first(bad []int64) func(from, until int64) int64 {
	return func(from, until int64) int64 {
		if i, _ := slices.BinarySearch(bad, from); i < len(bad) && bad[i] < until {
			return bad[i]
		}
		return -1
	}
}

// subset returns some of the first n ordinals, sorted; few of them or nearly all.
func subset(rng *rand.Rand, n int64) (some []int64) {
	share := []float64{0.001, 0.05, 0.95}[rng.IntN(3)]
	for i := range n {
		if rng.Float64() < share {
			some = append(some, i)
		}
	}
	return some
}

func search(t *testing.T, w *trial, limit int) (bad []int64, err error) {
	t.Helper()
	var found []int64
	why := &program.UserError{Message: "failed at first"}
	bad, err = Find(t.Context(), w, limit, why, func(_ context.Context, r Record, why *program.UserError) error {
		if why == nil {
			t.Errorf("unit %d is bad, but nothing says why", r.Record)
		}
		found = append(found, r.Record)
		return nil
	})
	if err == nil && !slices.Equal(bad, found) {
		t.Errorf("found %v, returned %v", found, bad)
	}
	return bad, err
}

func TestFindFindsExactlyTheBadUnits(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		total := 1 + rng.Int64N(3000)
		want := subset(rng, total)
		if len(want) == 0 {
			want = []int64{rng.Int64N(total)}
		}
		naming := rng.IntN(3)
		w := &trial{
			total: total, fails: first(want), ahead: func() int64 { return rng.Int64N(200) },
			names: func(unit int64) int64 {
				switch naming {
				case 0:
					return -1
				case 1:
					return unit
				}
				return unit + 1 // wrong, though this unit may be bad, too
			},
		}
		if naming == 2 { // Find must notice that the name is wrong
			want = slices.DeleteFunc(want, func(u int64) bool { return slices.Contains(want, u-1) })
			w.fails = first(want)
		}
		got, err := search(t, w, len(want))
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("seed %d, %d units: found %v, want %v, %v", seed, total, got, want, err)
		}
		most := 2 + len(want)*(bits(total)+4)
		if naming == 1 {
			most = 2 + 2*len(want)
		}
		if w.tries > most {
			t.Errorf("seed %d: %d tries for %d bad ones of %d, want at most %d", seed, w.tries, len(want), total, most)
		}
		if _, err := search(t, w, len(want)-1); err == nil || !strings.Contains(err.Error(), "the most that may be skipped") {
			t.Errorf("seed %d: one less may be skipped, but %v", seed, err)
		}
	}
}

func bits(n int64) (b int) {
	for ; n > 0; n /= 2 {
		b++
	}
	return b
}

// A failure that is not due to a single unit is no reason to skip one.
func TestFindBlamesNoUnitWrongly(t *testing.T) {
	once := 0
	for name, test := range map[string]struct {
		fails func(from, until int64) int64
		says  string
	}{
		"without input": {func(int64, int64) int64 { return 0 }, "with no input"},
		"at the end": {func(from, until int64) int64 {
			if until-from == 100 {
				return until - 1
			}
			return -1
		}, "on any record alone"},
		"two together": {func(from, until int64) int64 {
			if from <= 17 && until > 40 {
				return 40
			}
			return -1
		}, "on any record alone"},
		"never again": {func(int64, int64) int64 { return -1 }, "did not fail again"},
		"once more": {func(from, until int64) int64 {
			if once++; once == 2 {
				return 30
			}
			return -1
		}, "on any record alone"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &trial{total: 100, fails: test.fails, ahead: func() int64 { return 5 }, names: nobody}
			bad, err := search(t, w, 1000)
			var user *program.UserError
			if !errors.As(err, &user) || !strings.Contains(user.Message, test.says) || !strings.HasPrefix(user.Message, "failed") {
				t.Errorf("skipped %v, %v; want the fault itself with %q", bad, err, test.says)
			}
		})
	}
}

// broken fails at its n-th try, and not through the program's fault.
type broken struct {
	trial
	at int
}

func (w *broken) Try(ctx context.Context, from, until int64) (int64, error) {
	if end, err := w.trial.Try(ctx, from, until); w.tries < w.at {
		return end, err
	}
	return from, errBroken
}

func TestFindReturnsOtherErrors(t *testing.T) {
	for at := 1; at <= 9; at++ {
		w := &broken{trial{total: 50, fails: first([]int64{20}), ahead: func() int64 { return 9 }, names: nobody}, at}
		_, err := Find(t.Context(), w, 5, &program.UserError{}, func(context.Context, Record, *program.UserError) error { return nil })
		if !errors.Is(err, errBroken) || Fault(t.Context(), err) != nil {
			t.Errorf("broken at try %d: %v", at, err)
		}
	}
}
