package shuffle

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
)

// kv is a record as tests see it.
type kv struct{ key, value string }

var testIdentity = segfile.Identity{Job: "job-7", Task: 12, Attempt: 3}

// object makes b a file in a store.
func object(name string, b []byte) segfile.Object {
	return segfile.Object{Name: name, Size: int64(len(b)), Open: openBytes(b)}
}

// openBytes opens ranges of b; a range past the end is cut short, as stores do.
func openBytes(b []byte) segfile.OpenFunc {
	return func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		offset = min(offset, int64(len(b)))
		return io.NopCloser(bytes.NewReader(b[offset:min(offset+length, int64(len(b)))])), nil
	}
}

// collect runs records through a Collector and returns the file.
func collect(t testing.TB, cfg CollectorConfig, records []kv) ([]byte, segfile.Manifest, CollectStats) {
	t.Helper()
	c, err := NewCollector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		c.Emitter().Emit([]byte(r.key), []byte(r.value))
	}
	var file bytes.Buffer
	m, err := c.Finish(t.Context(), &file)
	if err != nil {
		t.Fatal(err)
	}
	stats := c.Stats()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if stats.RecordsIn != int64(len(records)) {
		t.Errorf("RecordsIn = %d, want %d", stats.RecordsIn, len(records))
	}
	return file.Bytes(), m, stats
}

// source returns partition p of a file.
func source(name string, id segfile.Identity, file []byte, m segfile.Manifest, p int) segfile.Source {
	return segfile.Source{Name: name, Identity: id, Partition: p, Segment: m.Segments[p], Open: openBytes(file)}
}

// drain reads a merge to its end.
func drain(next func() ([]byte, error)) ([]kv, error) {
	var all []kv
	for {
		block, err := next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		for len(block) > 0 {
			key, value, n, err := record.Read(block)
			if err != nil {
				return all, err
			}
			all = append(all, kv{string(key), string(value)})
			block = block[n:]
		}
	}
}

// mergeAll merges sources to the end.
func mergeAll(t testing.TB, cfg MergeConfig, sources []segfile.Source) ([]kv, MergeStats) {
	t.Helper()
	m, err := NewMerge(t.Context(), cfg, sources)
	if err != nil {
		t.Fatal(err)
	}
	all, err := drain(m.Next)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Next(); err != io.EOF {
		t.Errorf("Next after the end: %v, want io.EOF", err)
	}
	stats := m.Stats()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if stats.Records != int64(len(all)) {
		t.Errorf("Stats().Records = %d, want %d", stats.Records, len(all))
	}
	return all, stats
}

// oracle does naively what a shuffle of runs does: it sorts, partitions and combines all records,
// and returns one partition.
func oracle(runs [][]kv, p *Partitioner, partition int, c Combine, sortValues bool) []kv {
	var all []kv
	for _, run := range runs {
		for _, r := range run {
			if p.Partition([]byte(r.key)) == partition {
				all = append(all, r)
			}
		}
	}
	slices.SortStableFunc(all, func(x, y kv) int {
		if sortValues || c.Dedup {
			return cmp.Or(cmp.Compare(x.key, y.key), cmp.Compare(x.value, y.value))
		}
		return cmp.Compare(x.key, y.key)
	})
	if c.Dedup {
		return slices.Compact(all)
	}
	if c.Columns == nil {
		return all
	}
	var out []kv
	var held, totals []record.Total
	for i, r := range all {
		totals = make([]record.Total, len(c.Columns))
		if err := c.Columns.DecodeTotals(totals, []byte(r.value)); err != nil {
			panic(err)
		}
		if i > 0 && all[i-1].key == r.key {
			c.Columns.MergeTotals(held, totals)
		} else {
			held = totals
			out = append(out, kv{key: r.key})
		}
		out[len(out)-1].value = string(record.AppendTotals(nil, held))
	}
	return out
}

// keyKinds make keys that are difficult in different ways.
var keyKinds = map[string]func(*rand.Rand) string{
	"short": func(r *rand.Rand) string { return randomBytes(r, r.IntN(4), 3) },
	"zeros": func(r *rand.Rand) string { return string(make([]byte, r.IntN(40))) },
	"bytes": func(r *rand.Rand) string { return randomBytes(r, r.IntN(30), 256) },
	"deep": func(r *rand.Rand) string {
		return "https://example.com/a/b/" + randomBytes(r, r.IntN(20), 2) + randomBytes(r, r.IntN(3), 256)
	},
	"word":  func(r *rand.Rand) string { return fmt.Sprintf("word%d", int(r.ExpFloat64()*50)) },
	"large": func(r *rand.Rand) string { return randomBytes(r, r.IntN(3)*1500, 2) },
	"fixed": func(r *rand.Rand) string { return randomBytes(r, 10, 256) },
	"empty": func(*rand.Rand) string { return "" },
}

func randomBytes(r *rand.Rand, n, alphabet int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(alphabet))
	}
	return string(b)
}

var extremes = []int64{math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1, 1 << 62}

func randomValue(r *rand.Rand, columns int) string {
	if columns >= 0 {
		ints := make([]int64, columns)
		for i := range ints {
			ints[i] = r.Int64N(1<<r.IntN(62)+1) - 5
			if r.IntN(4) == 0 { // a few of these outgrow 64 bits
				ints[i] = extremes[r.IntN(len(extremes))]
			}
		}
		return string(record.AppendInts(nil, ints...))
	}
	if r.IntN(50) == 0 {
		return randomBytes(r, r.IntN(6000), 256)
	}
	return randomBytes(r, r.IntN(12), 4)
}

type combineKind struct {
	name    string
	combine Combine
	columns int // of values; -1 for any bytes
}

func combineKinds() []combineKind {
	return []combineKind{
		{name: "none", columns: -1},
		{name: "sum", combine: Combine{Columns: record.Columns{record.Sum}}, columns: 1},
		{name: "max", combine: Combine{Columns: record.Columns{record.Max}}, columns: 1},
		{name: "columns", combine: Combine{Columns: record.Columns{record.Min, record.Sum, record.Max}}, columns: 3},
		{name: "keys", combine: Combine{Columns: record.Columns{}}, columns: 0},
		{name: "dedup", combine: Combine{Dedup: true}, columns: -1},
	}
}

func TestShuffleEqualsOracle(t *testing.T) {
	for _, kind := range combineKinds() {
		for keys, key := range keyKinds {
			t.Run(kind.name+"/"+keys, func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(2) {
					checkShuffle(t, rand.New(rand.NewPCG(seed, 1)), kind, key)
				}
			})
		}
	}
}

// checkShuffle sends some runs of random records through collectors and merges of random shapes.
func checkShuffle(t *testing.T, r *rand.Rand, kind combineKind, key func(*rand.Rand) string) {
	p := Partitioner{Partitions: []int{1, 2, 7, 300 / raceScale}[r.IntN(4)]}
	if r.IntN(3) == 0 {
		p.Boundaries = [][]byte{}
		for len(p.Boundaries) < p.Partitions-1 {
			p.Boundaries = append(p.Boundaries, []byte(key(r)))
		}
		slices.SortFunc(p.Boundaries, bytes.Compare)
	}
	sortValues := r.IntN(2) == 0
	scratch := t.TempDir()
	var runs [][]kv
	var files [][]byte
	var manifests []segfile.Manifest
	for task := range 1 + r.IntN(8) {
		records := make([]kv, r.IntN(5000/raceScale))
		for i := range records {
			records[i] = kv{key(r), randomValue(r, kind.columns)}
		}
		file, m, _ := collect(t, CollectorConfig{
			Identity: segfile.Identity{Job: "j", Task: task}, Partitioner: p, Combine: kind.combine, SortValues: sortValues,
			Memory: []int64{96 << 10, 1 << 20, 64 << 20}[r.IntN(3)], Scratch: filepath.Join(scratch, "collect"),
			BlockSize: []int{0, 100, 4096}[r.IntN(3)],
		}, records)
		if _, err := segfile.Verify(t.Context(), object("verified", file)); err != nil {
			t.Fatal(err)
		}
		runs, files, manifests = append(runs, records), append(files, file), append(manifests, m)
	}
	for partition := range p.Partitions {
		var sources []segfile.Source
		for task, file := range files {
			sources = append(sources, source("f", segfile.Identity{Job: "j", Task: task}, file, manifests[task], partition))
		}
		got, _ := mergeAll(t, MergeConfig{
			Combine: kind.combine, SortValues: sortValues, Memory: []int64{512 << 10, 64 << 20}[r.IntN(2)],
			Scratch: filepath.Join(scratch, "merge"), Fetches: 1 + r.IntN(4),
		}, sources)
		want := oracle(runs, &p, partition, kind.combine, sortValues)
		if !slices.Equal(got, want) {
			t.Fatalf("partition %d of %d: got %d records, want %d; first difference at %d",
				partition, p.Partitions, len(got), len(want), firstDifference(got, want))
		}
	}
	checkEmpty(t, filepath.Join(scratch, "collect"))
	checkEmpty(t, filepath.Join(scratch, "merge"))
}

func firstDifference(x, y []kv) int {
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return i
		}
	}
	return min(len(x), len(y))
}

// checkEmpty checks that no file is left in a folder, which need not exist.
func checkEmpty(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if len(entries) > 0 {
		t.Errorf("%d files left in %s", len(entries), folder)
	}
}
