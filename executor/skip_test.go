package executor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

// trial is a work of total units that fails as a program does which takes in more than it has
// worked on: somewhere behind the bad unit.
type trial struct {
	total int64
	fails func(from, until int64) int64 // the unit at which it fails, or -1
	ahead func() int64                  // how many more units it has taken in by then
	names func(unit int64) int64        // the unit that its error names, or -1
	tries int
}

var errBroken = errors.New("the store is broken")

func (w *trial) run(context.Context, []int64) (result, error) { return result{}, nil }

func (w *trial) try(_ context.Context, from, until int64) (int64, error) {
	w.tries++
	until = min(until, w.total)
	at := w.fails(from, until)
	if at < 0 {
		return max(from, until), nil
	}
	end := min(until, at+1+w.ahead())
	return end, &program.UserError{Program: "p", Message: "failed", Record: &program.RecordRef{Offset: w.names(at)}}
}

func (w *trial) named(_ context.Context, from, until int64, why *program.UserError) (int64, error) {
	if unit := why.Record.Offset; unit >= from && unit < until {
		return unit, nil
	}
	return -1, nil
}

func (w *trial) describe(context.Context, int64) (skippedRecord, error) {
	return skippedRecord{}, nil
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
	bad, err = findBad(t.Context(), w, limit, &program.UserError{Message: "failed at first"}, func(unit int64, why *program.UserError) error {
		if why == nil {
			t.Errorf("unit %d is bad, but nothing says why", unit)
		}
		found = append(found, unit)
		return nil
	})
	if err == nil && !slices.Equal(bad, found) {
		t.Errorf("found %v, returned %v", found, bad)
	}
	return bad, err
}

func TestFindBadFindsExactlyThese(t *testing.T) {
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
				return unit + 1 // wrong, though that may be a bad one, too
			},
		}
		if naming == 2 { // what is wrong must be found out
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
		if _, err := search(t, w, len(want)-1); err == nil || !strings.Contains(err.Error(), "this is one too many") {
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

// What no single unit is to blame for is no reason to skip any.
func TestFindBadBlamesNoOneWrongly(t *testing.T) {
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

// broken fails, not by the program's fault, at its n-th try.
type broken struct {
	trial
	at int
}

func (w *broken) try(ctx context.Context, from, until int64) (int64, error) {
	if end, err := w.trial.try(ctx, from, until); w.tries < w.at {
		return end, err
	}
	return from, errBroken
}

func TestFindBadPassesOtherErrorsOn(t *testing.T) {
	for at := 1; at <= 9; at++ {
		w := &broken{trial{total: 50, fails: first([]int64{20}), ahead: func() int64 { return 9 }, names: nobody}, at}
		_, err := findBad(t.Context(), w, 5, &program.UserError{}, func(int64, *program.UserError) error { return nil })
		if !errors.Is(err, errBroken) || programFault(t.Context(), err) != nil {
			t.Errorf("broken at try %d: %v", at, err)
		}
	}
}

// batches makes batches of all framings, of random lengths, and the records in them.
func batches(rng *rand.Rand, n int) (all []*record.Batch, records []string) {
	for len(records) < n {
		b := &record.Batch{Input: "file:///in", Offset: rng.Int64N(1000), Framing: record.Framing(1 + rng.IntN(4)), RecordLen: 3}
		for range 1 + rng.IntN(9) {
			word := strings.Repeat(string(rune('a'+len(records)%26)), 3)
			switch b.Framing {
			case record.Lines:
				b.Data = append(append(b.Data, word...), [2]string{"\n", "\r\n"}[rng.IntN(2)]...)
			case record.Encoded:
				key := []byte{0, 0, 0, 0, 0, 0, 1, byte(len(b.Data))}
				b.Data = record.Append(b.Data, key, []byte(word))
			default:
				b.Data = append(b.Data, word...)
			}
			records = append(records, word)
			if b.Framing == record.Whole {
				break
			}
		}
		if b.Framing == record.Lines && rng.IntN(2) == 0 {
			b.Data = bytes.TrimRight(b.Data, "\r\n")
		}
		all = append(all, b)
	}
	return all, records
}

func TestRecordPick(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 2))
		all, records := batches(rng, 1+rng.IntN(60))
		total := int64(len(records))
		from := rng.Int64N(total)
		until := from + 1 + rng.Int64N(total+5-from)
		omit := subset(rng, total)
		var want, got []string
		for i := from; i < min(until, total); i++ {
			if !slices.Contains(omit, i) {
				want = append(want, records[i])
			}
		}
		offsets := map[*record.Batch][]int64{}
		for _, b := range all {
			for offset := range b.Records() {
				offsets[b] = append(offsets[b], offset)
			}
		}
		var current *record.Batch
		pick := &recordPick{from: from, until: until, omit: omit, pass: func(b *record.Batch) error {
			n := 0
			for offset, record := range b.Records() {
				got = append(got, string(record))
				if n++; !slices.Contains(offsets[current], offset) || (n == 1 && offset != b.Offset) {
					t.Errorf("seed %d: record %q at %d of a batch at %d", seed, record, offset, b.Offset)
				}
			}
			return nil
		}}
		var err error
		for _, current = range all {
			if err = pick.take(current); err != nil {
				break
			}
		}
		if !slices.Equal(got, want) || errors.Is(err, errEnough) != (until <= total) {
			t.Fatalf("seed %d, %d to %d of %d without %v: got %q, want %q, %v", seed, from, until, total, omit, got, want, err)
		}
	}
}

func TestGroupPick(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 3))
		total := 1 + rng.Int64N(60)
		var blocks [][]byte
		var block []byte
		groups := make([]string, total)
		for i := range total {
			key := string(rune('A' + i))
			for range 1 + rng.IntN(4) {
				value := string(rune('a' + rng.IntN(26)))
				groups[i] += key + value
				block = record.Append(block, []byte(key), []byte(value))
				if rng.IntN(3) == 0 {
					blocks, block = append(blocks, block), nil
				}
			}
		}
		blocks = append(blocks, block)
		from := rng.Int64N(total)
		until := from + rng.Int64N(total+5-from)
		omit := subset(rng, total)
		var want strings.Builder
		for i := from; i < min(until, total); i++ {
			if !slices.Contains(omit, i) {
				want.WriteString(groups[i])
			}
		}
		pick := &groupPick{from: from, until: until, omit: omit, source: func() ([]byte, error) {
			if len(blocks) == 0 {
				return nil, io.EOF
			}
			block := blocks[0]
			blocks = blocks[1:]
			return block, nil
		}}
		var got strings.Builder
		for {
			block, err := pick.next()
			if err == io.EOF {
				break
			}
			if err != nil || len(block) == 0 {
				t.Fatalf("seed %d: a block of %d bytes, %v", seed, len(block), err)
			}
			for len(block) > 0 {
				key, value, n, err := record.Read(block)
				if err != nil {
					t.Fatal(err)
				}
				got.Write(append(key, value...))
				block = block[n:]
			}
		}
		if got.String() != want.String() {
			t.Fatalf("seed %d, %d to %d of %d without %v: got %s, want %s", seed, from, until, total, omit, got.String(), want.String())
		}
	}
}

func TestShow(t *testing.T) {
	long := strings.Repeat("é", 40)
	for _, test := range []struct {
		data, text, base64 string
	}{
		{"", "", ""},
		{"plain", "plain", ""},
		{long, long[:62], ""},
		{"x" + long, "x" + long[:62], ""},
		{"\xff\x00", "", "\xff\x00"},
		{"half\xc3", "", "half\xc3"},
		{strings.Repeat("\x80", 80), "", strings.Repeat("\x80", 63)},
	} {
		s := show([]byte(test.data), 63)
		if s.Text != test.text || string(s.Base64) != test.base64 || s.Bytes != len(test.data) {
			t.Errorf("%q is shown as %+v", test.data, s)
		}
	}
}
