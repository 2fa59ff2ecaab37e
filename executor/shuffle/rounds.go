package shuffle

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
)

const (
	// maxChunk is the longest ranged read in bytes: stores charge another read for what exceeds it.
	maxChunk = 8 << 20
	// minChunk is the shortest ranged read in bytes, unless Memory is tiny.
	minChunk = 64 << 10
)

// leastChunk returns the shortest ranged read in bytes that suits a memory budget.
func leastChunk(memory int64) int64 { return min(minChunk, max(memory/64, 1<<10)) }

// sourceCost returns the most memory in bytes that a source takes in a merge: two ranged reads, a
// block that crosses their border, put together, and that block decompressed.
func sourceCost(s *segfile.Segment, chunk int64) int64 {
	cost := min(s.Length, 2*chunk) + s.MaxBlock
	if s.Length > 2*chunk {
		cost += min(s.Length, s.MaxBlock)
	}
	return cost
}

// bestChunk returns the length in bytes of the ranged reads of sources that share memory.
func bestChunk(sources []segfile.Source, least, memory int64) int64 {
	chunk := least
	for 2*chunk <= maxChunk {
		var total int64
		for i := range sources {
			total += sourceCost(&sources[i].Segment, 2*chunk)
		}
		if total > memory {
			break
		}
		chunk *= 2
	}
	return chunk
}

// rounds merges neighbouring runs, round after round, until the rest fits into memory together, by
// cost. Only group bytes of memory are free while it merges. It keeps the order of the runs, so
// records of equal keys keep their order too. It returns the number of rounds.
func rounds[R any](runs []R, cost func(*R) int64, memory, group int64, merge func([]R) (R, error)) ([]R, int, error) {
	var total int64 // cost of all runs
	for i := range runs {
		total += cost(&runs[i])
	}
	n := 0
	for ; total > memory; n++ {
		var next []R
		merged := false
		for len(runs) > 0 {
			if total <= memory {
				next = append(next, runs...)
				break
			}
			many, taken := fitting(runs, cost, group)
			if many < 2 {
				next, runs = append(next, runs[0]), runs[1:]
				continue
			}
			run, err := merge(runs[:many])
			if err != nil {
				return nil, n, fmt.Errorf("merge in rounds: %w", err)
			}
			total += cost(&run) - taken
			next, runs, merged = append(next, run), runs[many:], true
		}
		runs = next
		if !merged {
			var most int64
			for i := range runs {
				most = max(most, cost(&runs[i]))
			}
			return nil, n, &MemoryTooSmallError{Need: 2 * most, Have: group}
		}
	}
	return runs, n, nil
}

// fitting returns how many of the first runs cost no more than limit together, and their cost.
func fitting[R any](runs []R, cost func(*R) int64, limit int64) (many int, taken int64) {
	for i := range runs {
		c := cost(&runs[i])
		if taken+c > limit {
			return i, taken
		}
		taken += c
	}
	return len(runs), taken
}

// roundMemory returns the memory in bytes that the sources of a merge into a scratch run have.
func (m *Merge) roundMemory() int64 {
	return m.finalMemory() - writerMemory(m.blockSize, writeBufferFor(m.cfg.Memory))
}

// reduce merges groups of sources into scratch runs until the rest can be merged at once. It
// continues where that saves more ranged reads than it costs; if the disk has no room for these
// extra runs, reduce does without them.
func (m *Merge) reduce(ctx context.Context, sources []segfile.Source) ([]segfile.Source, error) {
	floor, least := leastChunk(m.cfg.Memory), m.plan(sources).least
	left, err := m.reduceBy(ctx, least, sources)
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	if !full || least == floor {
		return left, err
	}
	if err := m.dropRuns(); err != nil {
		return nil, err
	}
	return m.reduceBy(ctx, floor, sources)
}

// reduceBy is reduce with ranged reads of at least least bytes.
func (m *Merge) reduceBy(ctx context.Context, least int64, sources []segfile.Source) ([]segfile.Source, error) {
	left, n, err := m.roundsBy(least, sources, func(group []segfile.Source) (segfile.Source, error) {
		return m.mergeGroup(ctx, group)
	})
	m.stats.Rounds += n
	return left, err
}

// roundsBy applies rounds to sources, with ranged reads of at least least bytes. Reads from local
// disk may be shorter.
func (m *Merge) roundsBy(least int64, sources []segfile.Source, merge func([]segfile.Source) (segfile.Source, error)) ([]segfile.Source, int, error) {
	floor := leastChunk(m.cfg.Memory)
	cost := func(s *segfile.Source) int64 {
		if s.Local {
			return sourceCost(&s.Segment, floor)
		}
		return sourceCost(&s.Segment, least)
	}
	return rounds(sources, cost, m.finalMemory(), m.roundMemory(), merge)
}

// mergeGroup merges sources into a scratch run.
func (m *Merge) mergeGroup(ctx context.Context, sources []segfile.Source) (segfile.Source, error) {
	tree := m.open(ctx, sources, m.roundMemory())
	defer tree.close()
	layout := segfile.Layout{
		Identity: segfile.Identity{Job: "scratch", Task: len(m.runs)}, Partitions: 1,
		BlockSize: m.blockSize, Buffer: writeBufferFor(m.cfg.Memory),
		SortedValues: m.cfg.Combine.sorted(m.cfg.SortValues),
	}
	run, err := createRun(m.cfg.Scratch, layout, func(f *segfile.Writer) error { return m.combiner.write(f, 0, tree) })
	if err != nil {
		return segfile.Source{}, err
	}
	m.runs = append(m.runs, run)
	m.stats.SpilledBytes += run.manifest.Size
	return run.source(0), nil
}

// dropRuns removes all scratch runs.
func (m *Merge) dropRuns() error {
	var errs []error
	for _, run := range m.runs {
		errs = append(errs, run.remove())
	}
	m.runs = nil
	return errors.Join(errs...)
}
