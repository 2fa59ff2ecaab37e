package shuffle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
)

// sourcesOf makes one source of each run, written as "key=value key=value".
func sourcesOf(t *testing.T, combine Combine, sortValues bool, runs []string) []segfile.Source {
	var sources []segfile.Source
	for i, run := range runs {
		var records []kv
		for _, r := range strings.Fields(run) {
			key, value, _ := strings.Cut(r, "=")
			if combine.Columns != nil {
				var n int64
				if _, err := fmt.Sscan(value, &n); err != nil {
					t.Fatal(err)
				}
				value = string(record.AppendInts(nil, n))
			}
			records = append(records, kv{key, value})
		}
		file, m, _ := collect(t, CollectorConfig{
			Identity: testIdentity, Partitioner: Partitioner{Partitions: 1}, Memory: 1 << 20, Combine: combine, SortValues: sortValues,
		}, records)
		sources = append(sources, source(fmt.Sprint(i), testIdentity, file, m, 0))
	}
	return sources
}

func TestMergeGolden(t *testing.T) {
	counts := Combine{Columns: record.Columns{record.Sum}}
	tests := []struct {
		name       string
		runs       []string
		combine    Combine
		sortValues bool
		want       string
	}{
		{name: "nothing", want: ""},
		{name: "one run", runs: []string{"b=1 a=2"}, want: "a=2 b=1"},
		{name: "empty runs", runs: []string{"", "a=1", ""}, want: "a=1"},
		{name: "interleaved", runs: []string{"a=1 c=3", "b=2 d=4"}, want: "a=1 b=2 c=3 d=4"},
		{name: "one after the other", runs: []string{"c=1 d=1", "a=2 b=2"}, want: "a=2 b=2 c=1 d=1"},
		{name: "equal keys keep the order of sources and arrival", runs: []string{"k=3 k=1", "k=2", "k=0 j=9"}, want: "j=9 k=3 k=1 k=2 k=0"},
		{name: "equal keys by value", sortValues: true, runs: []string{"k=3 k=1", "k=2", "k=0 j=9"}, want: "j=9 k=0 k=1 k=2 k=3"},
		{name: "a prefix comes first", runs: []string{"abcdefgh=1 abcdefghi=2", "abcdefg=3 abcdefgh=4"}, want: "abcdefg=3 abcdefgh=1 abcdefgh=4 abcdefghi=2"},
		{name: "counts", combine: counts, runs: []string{"a=1 a=1 b=5", "a=3", "b=-5 c=0"}, want: "a=5 b=0 c=0"},
		{name: "counts of one run", combine: counts, runs: []string{"a=1 a=1 b=5"}, want: "a=2 b=5"},
		{name: "distinct", combine: Combine{Dedup: true}, runs: []string{"a=2 a=1 a=2", "a=1 a=3 b=1"}, want: "a=1 a=2 a=3 b=1"},
		{name: "three sources and a tie at the end", runs: []string{"z=1", "z=2", "a=1 z=3"}, want: "a=1 z=1 z=2 z=3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sources := sourcesOf(t, test.combine, test.sortValues, test.runs)
			all, stats := mergeAll(t, MergeConfig{Combine: test.combine, SortValues: test.sortValues, Memory: 1 << 20}, sources)
			var got []string
			for _, r := range all {
				if test.combine.Columns != nil {
					var n [1]int64
					if err := test.combine.Columns.Decode(n[:], []byte(r.value)); err != nil {
						t.Fatal(err)
					}
					r.value = fmt.Sprint(n[0])
				}
				got = append(got, r.key+"="+r.value)
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if stats.Rounds != 1 {
				t.Errorf("%d rounds, want 1", stats.Rounds)
			}
		})
	}
}

func TestMergeRefusesUnsortedValues(t *testing.T) {
	sources := sourcesOf(t, Combine{}, false, []string{"k=3 k=1", "k=2"})
	m, err := NewMerge(t.Context(), MergeConfig{SortValues: true, Memory: 1 << 20}, sources)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Next(); !errors.Is(err, segfile.ErrCorrupt) || !strings.Contains(err.Error(), "values are not sorted") {
		t.Errorf("got %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestSmallSegmentsTakeOneRequest(t *testing.T) {
	sources := sourcesOf(t, Combine{}, false, []string{"a=1", "b=1", "c=1"})
	_, stats := mergeAll(t, MergeConfig{Memory: 1 << 20}, sources)
	if stats.Requests != 3 {
		t.Errorf("%d requests for 3 small segments", stats.Requests)
	}
	want := int64(0)
	for _, s := range sources {
		want += s.Segment.Length
	}
	if stats.BytesFetched != want {
		t.Errorf("%d bytes fetched, the segments have %d", stats.BytesFetched, want)
	}
}

// TestFetchesAreBounded blocks every read until as many as allowed are under way.
func TestFetchesAreBounded(t *testing.T) {
	const most, sources = 3, 9
	var mu sync.Mutex
	running, peak := 0, 0
	full := make(chan struct{})
	all := sourcesOf(t, Combine{}, false, slices.Repeat([]string{"a=1"}, sources))
	for i := range all {
		open := all[i].Open
		all[i].Open = func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
			mu.Lock()
			running++
			if running == most && peak < most {
				close(full)
			}
			peak = max(peak, running)
			mu.Unlock()
			<-full
			body, err := open(ctx, offset, length)
			return closer{body, func() {
				mu.Lock()
				running--
				mu.Unlock()
			}}, err
		}
	}
	got, _ := mergeAll(t, MergeConfig{Memory: 1 << 20, Fetches: most}, all)
	if len(got) != sources || peak != most {
		t.Errorf("%d records, at most %d reads at a time; want %d and %d", len(got), peak, sources, most)
	}
}

type closer struct {
	io.Reader
	close func()
}

func (c closer) Close() error {
	c.close()
	return nil
}

func TestOpenErrorIsPassedOn(t *testing.T) {
	gone := errors.New("no such key")
	sources := sourcesOf(t, Combine{}, false, []string{"a=1", "b=1"})
	sources[1].Open = func(context.Context, int64, int64) (io.ReadCloser, error) { return nil, gone }
	m, err := NewMerge(t.Context(), MergeConfig{Memory: 1 << 20}, sources)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Next(); !errors.Is(err, gone) || errors.Is(err, segfile.ErrCorrupt) || !strings.HasPrefix(err.Error(), "1: ") {
		t.Errorf("got %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsReads(t *testing.T) {
	sources := sourcesOf(t, Combine{}, false, []string{"a=1", "b=1"})
	started := make(chan struct{}, len(sources))
	for i := range sources {
		sources[i].Open = func(ctx context.Context, _, _ int64) (io.ReadCloser, error) {
			started <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}
	}
	m, err := NewMerge(t.Context(), MergeConfig{Memory: 1 << 20}, sources)
	if err != nil {
		t.Fatal(err)
	}
	<-started
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if _, err := m.Next(); err == nil || err == io.EOF {
		t.Errorf("Next after Close: %v", err)
	}
}

func TestCancelledRoundsLeaveNothing(t *testing.T) {
	scratch := filepath.Join(t.TempDir(), "scratch")
	sources := manySources(t, 60)
	ctx, cancel := context.WithCancel(t.Context())
	open := sources[40].Open
	sources[40].Open = func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		cancel()
		return open(ctx, offset, length)
	}
	_, err := NewMerge(ctx, MergeConfig{Memory: 256 << 10, Scratch: scratch}, sources)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	checkEmpty(t, scratch)
}

// manySources returns n sources of about 30 KiB, all with the same keys.
func manySources(t *testing.T, n int) []segfile.Source {
	r := rand.New(rand.NewPCG(16, 17))
	records := make([]kv, 300)
	for i := range records {
		records[i] = kv{"key", randomBytes(r, 100, 256)} // which does not compress
	}
	file, m, _ := collect(t, CollectorConfig{
		Identity: testIdentity, Partitioner: Partitioner{Partitions: 1}, Memory: 4 << 20, BlockSize: 8 << 10,
	}, records)
	var sources []segfile.Source
	for i := range n {
		sources = append(sources, source(fmt.Sprint(i), testIdentity, file, m, 0))
	}
	return sources
}

func TestMergeInRounds(t *testing.T) {
	scratch := filepath.Join(t.TempDir(), "scratch")
	got, stats := mergeAll(t, MergeConfig{Memory: 256 << 10, Scratch: scratch}, manySources(t, 200))
	if len(got) != 200*300 || stats.Rounds < 2 || stats.SpilledBytes == 0 {
		t.Errorf("%d records in %d rounds, %d bytes spilled", len(got), stats.Rounds, stats.SpilledBytes)
	}
	checkEmpty(t, scratch)
}

func TestMemoryTooSmall(t *testing.T) {
	file, m, _ := collect(t, CollectorConfig{Identity: testIdentity, Partitioner: Partitioner{Partitions: 1}, Memory: 64 << 20},
		[]kv{{"key", strings.Repeat("v", 1<<20)}})
	s := source("f", testIdentity, file, m, 0)
	_, err := NewMerge(t.Context(), MergeConfig{Memory: 1 << 20, Scratch: t.TempDir()}, []segfile.Source{s, s})
	var tooSmall *MemoryTooSmallError
	if !errors.As(err, &tooSmall) || tooSmall.Need <= tooSmall.Have {
		t.Errorf("got %v, want a MemoryTooSmallError", err)
	}
}

// TestDamageAmongReadAhead damages one body of a segment that takes many reads, while the next read
// is already under way.
func TestDamageAmongReadAhead(t *testing.T) {
	var records []kv
	r := rand.New(rand.NewPCG(18, 19))
	for i := range 20_000 {
		records = append(records, kv{fmt.Sprintf("%06d", i), randomBytes(r, i%90, 256)})
	}
	file, m, _ := collect(t, CollectorConfig{
		Identity: testIdentity, Partitioner: Partitioner{Partitions: 1}, Memory: 16 << 20, BlockSize: 8 << 10,
	}, records)
	for nth := range 12 {
		s := source("f", testIdentity, file, m, 0)
		reads := 0
		var mu sync.Mutex
		s.Open = func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
			mu.Lock()
			defer mu.Unlock()
			reads++
			if reads-1 == nth {
				damaged := slices.Clone(file)
				damaged[offset+length/2] ^= 1
				return openBytes(damaged)(ctx, offset, length)
			}
			return openBytes(file)(ctx, offset, length)
		}
		got, stats := mergeAll(t, MergeConfig{Memory: 256 << 10}, []segfile.Source{s})
		if !slices.Equal(got, records) {
			t.Fatalf("damaged read %d: records differ", nth)
		}
		if stats.Requests < 12 || stats.Requests != int64(reads) {
			t.Errorf("%d requests counted, %d made; want 12 or more", stats.Requests, reads)
		}
	}
}

func TestMergeConfigIsChecked(t *testing.T) {
	tests := map[string]MergeConfig{
		"want at least": {Memory: MinMemory/2 - 1},
		"block size":    {Memory: 1 << 20, BlockSize: -1},
		"fetches":       {Memory: 1 << 20, Fetches: -1},
		"only one way":  {Memory: 1 << 20, Combine: Combine{Dedup: true, Columns: record.Columns{record.Sum}}},
	}
	for want, cfg := range tests {
		if _, err := NewMerge(t.Context(), cfg, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
