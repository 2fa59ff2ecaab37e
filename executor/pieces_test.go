package executor

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/input"
)

// Pieces lie inside of the splits, apart from each other and evenly over all of them, and the same
// input gives the same ones.
func TestPiecesAreSpreadEvenly(t *testing.T) {
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
		pieces := choosePieces(splits, input.Format{}, n, bytes)
		if again := choosePieces(splits, input.Format{}, n, bytes); !reflect.DeepEqual(pieces, again) {
			t.Fatalf("seed %d: other pieces the second time", seed)
		}
		if total <= bytes {
			if len(pieces) != len(splits) {
				t.Errorf("seed %d: %d pieces of %d splits that are to be read whole", seed, len(pieces), len(splits))
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
		for _, s := range splits { // each has its share, give or take one piece at its ends
			share := s.Size * bytes / total
			if got := budgets[s.Input]; got < share-2*bytes/int64(n) || got > share+2*bytes/int64(n) {
				t.Errorf("seed %d: %d bytes are read of %v, its share is %d of %d", seed, got, s, share, bytes)
			}
		}
	}
}

// Of a piece no more is mapped than is wanted, but a record at least, however large, and executors
// with other memory, which read in other batches, map the same.
func TestSampleIsTheSameInAnyBatches(t *testing.T) {
	const pieces, each = 20, 100
	for _, format := range []string{"text", "fixed:67", "csv-multiline", "whole"} {
		w := reading(t, format, 1<<20)
		plan := choosePieces(w.splits, w.job.format, pieces, pieces*each)
		var first []string
		for _, memory := range []int64{1, 8} {
			w.executor.cfg.Memory = MinMemory * memory
			s := &sampler{taskEnv: w.taskEnv}
			got := s.sampled(t, plan)
			if len(got) < len(plan) {
				t.Errorf("%s: %d records of %d pieces", format, len(got), len(plan))
			}
			if format != "whole" && s.read > pieces*(each+2*70) {
				t.Errorf("%s: %d bytes were read of %d pieces", format, s.read, len(plan))
			}
			if first == nil {
				first = got
			} else if !slices.Equal(got, first) {
				t.Errorf("%s: another executor samples other records", format)
			}
		}
	}
}

// Of an object that turns out to be compressed the beginning is sampled, as much as all its pieces would have
// given, wherever they lie.
func TestSampleOfCompressedUnderAnotherName(t *testing.T) {
	const pieces, each = 20, 100
	for _, format := range []string{"gzip text", "gzip csv"} {
		w := reading(t, format, 32<<10)
		plan := choosePieces(w.splits, w.job.format, pieces, pieces*each)
		s := &sampler{taskEnv: w.taskEnv}
		got := s.sampled(t, plan)
		if least := pieces * each / 70 / 2; len(got) < least {
			t.Errorf("%s: %d records of %d pieces, want %d", format, len(got), len(plan), least)
		}
		if !slices.ContainsFunc(got, func(place string) bool { return strings.Contains(place, "1.txt") }) {
			t.Errorf("%s: none of the large object: %v", format, got)
		}
		if s.read > pieces*(each+2*70) {
			t.Errorf("%s: %d bytes were read", format, s.read)
		}
	}
}

// sampled says where the records of a sample are.
func (s *sampler) sampled(t *testing.T, plan []piece) (records []string) {
	t.Helper()
	r := reader{sampler: s, plan: plan}
	var bytes int64
	for {
		b, err := r.next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for offset, record := range b.Records() {
			bytes += int64(len(record)) + 1
			records = append(records, fmt.Sprint(b.Input, " ", offset, " ", len(record)))
		}
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	if bytes != s.read {
		t.Errorf("%d bytes of records are mapped, and %d counted", bytes, s.read)
	}
	return records
}
