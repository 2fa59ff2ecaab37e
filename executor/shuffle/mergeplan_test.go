package shuffle

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
)

// counted makes sources count their ranged reads.
func counted(sources []segfile.Source) (_ []segfile.Source, reads *atomic.Int64) {
	reads = new(atomic.Int64)
	sources = slices.Clone(sources)
	for i, s := range sources {
		sources[i].Open = func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
			reads.Add(1)
			return s.Open(ctx, offset, length)
		}
	}
	return sources, reads
}

// Runs of 33 KB fit into memory by pieces of 4 KiB. If requests have a price, the runs go through
// scratch runs, each with one request.
func TestCostlyRequestsAreSpared(t *testing.T) {
	const runs, memory = 8, 256 << 10
	all := manySources(t, runs)
	length := all[0].Segment.Length
	var want []kv
	for _, c := range []struct {
		cost    int64
		scratch bool
	}{{0, false}, {1, false}, {64 << 10, true}} {
		sources, reads := counted(all)
		scratch := filepath.Join(t.TempDir(), "scratch")
		got, stats := mergeAll(t, MergeConfig{Memory: memory, Scratch: scratch, RequestCost: c.cost}, sources)
		if want == nil {
			want = got
		}
		if len(got) != runs*300 || !slices.Equal(got, want) {
			t.Errorf("cost %d: %d records, which are not those of a merge at once", c.cost, len(got))
		}
		if spilled := stats.SpilledBytes > 0; spilled != c.scratch {
			t.Errorf("cost %d: %d bytes went through scratch runs", c.cost, stats.SpilledBytes)
		}
		if c.scratch && reads.Load() != runs || !c.scratch && reads.Load() <= 2*runs {
			t.Errorf("cost %d: %d reads of %d runs", c.cost, reads.Load(), runs)
		}
		planned, through := Reads(runs, length, memory, c.cost)
		if planned != reads.Load() || (through > 0) != c.scratch {
			t.Errorf("cost %d: %d reads were planned, %d made; %d bytes through scratch runs", c.cost, planned, reads.Load(), through)
		}
		checkEmpty(t, scratch)
	}
}

// Rounds that only save requests are optional: if the disk has no room for them, the merge does
// without.
func TestSparingNeedsNoDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("mount a small disk: %v (this test must run as root, with CAP_SYS_ADMIN in a container)", err)
	}
	defer func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	scratch := filepath.Join(disk, "scratch")
	sources, reads := counted(manySources(t, 8))
	got, _ := mergeAll(t, MergeConfig{Memory: 256 << 10, Scratch: scratch, RequestCost: 64 << 10}, sources)
	if len(got) != 8*300 || reads.Load() <= 2*8 {
		t.Errorf("%d records by %d reads", len(got), reads.Load())
	}
	checkEmpty(t, scratch)
}

func TestReads(t *testing.T) {
	for _, c := range []struct {
		runs                int
		length, cost        int64
		requests, scratched int64
	}{
		{0, 100, 0, 0, 0},
		{1000, 100, 1 << 20, 1000, 0},     // less than the shortest read
		{2, 10 << 20, 1 << 20, 2, 0},      // all of each at once
		{2, 100 << 20, 1 << 20, 26, 0},    // by 8 MiB
		{150, 1 << 20, 0, 150 * 8, 0},     // no room for more than 128 KiB of each
		{150, 1 << 20, 1 << 10, 1200, 0},  // which is cheap
		{150, 1 << 20, 1 << 20, 150, 150}, // which is not
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			requests, scratch := Reads(c.runs, c.length, 64<<20, c.cost)
			if requests != c.requests || (scratch+c.length-1)/c.length < c.scratched/2 || scratch > c.scratched*c.length {
				t.Errorf("%d requests, %d bytes through scratch runs", requests, scratch)
			}
		})
	}
}
