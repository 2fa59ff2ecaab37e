package shuffle

import (
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
)

// heapSlack is the memory in bytes that a collector or a merge may take besides its budget: the
// emitter's block, the tables of the encoder and the decoder, goroutines, file handles.
const heapSlack = 1 << 20

// heapPeak runs work and returns the peak of the live heap in bytes, beyond what was live before.
// It collects garbage all the time while work is running. Memory that is freed or allocated during
// a collection counts as live in it, so a peak must appear in two collections in a row.
func heapPeak(work func()) int64 {
	live := func() int64 {
		runtime.GC()
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	before := live()
	done, peak := make(chan struct{}), make(chan int64)
	go func() {
		var most, last int64
		for {
			select {
			case <-done:
				peak <- most
				return
			default:
				now := live()
				most, last = max(most, min(now, last)), now
			}
		}
	}()
	work()
	close(done)
	return <-peak - before
}

// TestCollectorStaysInMemory feeds 20 budgets of records.
func TestCollectorStaysInMemory(t *testing.T) {
	const budget = 2 << 20 / raceScale
	for _, kind := range combineKinds() {
		if kind.name == "max" || kind.name == "keys" { // as "sum"
			continue
		}
		t.Run(kind.name, func(t *testing.T) {
			var stats CollectStats
			got := heapPeak(func() {
				c, err := NewCollector(CollectorConfig{
					Identity: testIdentity, Partitioner: Partitioner{Partitions: 16}, Combine: kind.combine,
					Memory: budget, Scratch: filepath.Join(t.TempDir(), "scratch"),
				})
				if err != nil {
					t.Fatal(err)
				}
				r := rand.New(rand.NewPCG(3, 4))
				key := make([]byte, 60)
				value := []byte(randomValue(r, kind.columns))
				for range 20 * budget / (len(key) + len(value)) {
					for i := 0; i < 6; i++ { // a million keys
						key[i] = 'a' + byte(r.IntN(10))
					}
					c.Emitter().Emit(key[:6+r.IntN(108)%55], value)
				}
				if _, err := c.Finish(t.Context(), io.Discard); err != nil {
					t.Fatal(err)
				}
				stats = c.Stats()
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			})
			t.Logf("heap %d KiB for a budget of %d KiB, %d spills", got>>10, budget>>10, stats.Spills)
			if got > budget+heapSlack {
				t.Errorf("live heap grew to %d bytes, budget %d", got, budget)
			}
			if stats.Spills == 0 {
				t.Error("nothing was spilled")
			}
		})
	}
}

// TestMergeStaysInMemory reads 400 sources with a budget that has room for a few.
func TestMergeStaysInMemory(t *testing.T) {
	const budget, sources = 2 << 20 / raceScale, 400 / raceScale
	var all []segfile.Source
	r := rand.New(rand.NewPCG(5, 6))
	scratch := filepath.Join(t.TempDir(), "scratch")
	value := []byte(randomBytes(r, 90, 256))
	run, err := createRun(scratch, segfile.Layout{
		Identity: testIdentity, Partitions: sources, BlockSize: 64 << 10, Buffer: 64 << 10,
	}, func(f *segfile.Writer) error {
		for p := range sources {
			f.Begin(p)
			var block []byte
			for i := range 2000 {
				if i == 1000 {
					if err := f.Add(block, 1000); err != nil {
						return err
					}
					block = block[:0]
				}
				block = record.Append(block, []byte{byte(i >> 8), byte(i), byte(r.IntN(256))}, value)
			}
			if err := f.Add(block, 1000); err != nil {
				return err
			}
			f.End()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for p := range sources {
		all = append(all, run.source(p))
	}
	var stats MergeStats
	got := heapPeak(func() {
		m, err := NewMerge(t.Context(), MergeConfig{Memory: budget, Scratch: scratch}, all)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = m.Next()
		}
		if err != io.EOF {
			t.Fatal(err)
		}
		stats = m.Stats()
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	})
	if err := run.remove(); err != nil {
		t.Fatal(err)
	}
	checkEmpty(t, scratch)
	t.Logf("heap %d KiB for a budget of %d KiB, %d rounds", got>>10, budget>>10, stats.Rounds)
	if got > budget+heapSlack {
		t.Errorf("live heap grew to %d bytes, budget %d", got, budget)
	}
	if stats.Rounds < 3 {
		t.Errorf("%d rounds, want at least 3", stats.Rounds)
	}
	if stats.Records != sources*2000 {
		t.Errorf("%d records, want %d", stats.Records, sources*2000)
	}
}
