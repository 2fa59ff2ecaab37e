package shuffle

import (
	"context"
	"fmt"
)

const (
	// maxChunk is the most bytes of a ranged read: what follows costs a store as much again.
	maxChunk = 8 << 20
	// minChunk is the least, as long as Memory is not tiny.
	minChunk = 64 << 10
)

// leastChunk returns the shortest ranged read in bytes that goes with a memory budget.
func leastChunk(memory int64) int64 { return min(minChunk, max(memory/64, 1<<10)) }

// sourceCost is the most memory in bytes that a source takes in a merge: two ranged reads, a block that lies
// across them put together, and that block decompressed.
func sourceCost(s *Segment, chunk int64) int64 {
	cost := min(s.Length, 2*chunk) + s.MaxBlock
	if s.Length > 2*chunk {
		cost += min(s.Length, s.MaxBlock)
	}
	return cost
}

// bestChunk returns the length in bytes of ranged reads from sources that share memory.
func bestChunk(sources []Source, least, memory int64) int64 {
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

// rounds merges neighbours among runs, round after round, until what is left fits together into memory
// as far as cost tells. While a group is merged there is only group bytes of it. The order of runs
// is kept, so that records of equal keys keep theirs. It returns the number of rounds.
func rounds[R any](runs []R, cost func(*R) int64, memory, group int64, merge func([]R) (R, error)) ([]R, int, error) {
	fitting := func(runs []R, limit int64) int {
		var total int64
		for i := range runs {
			if total += cost(&runs[i]); total > limit {
				return i
			}
		}
		return len(runs)
	}
	n := 0
	for ; fitting(runs, memory) < len(runs); n++ {
		var next []R
		merged := false
		for len(runs) > 0 {
			rest := append(next[:len(next):len(next)], runs...)
			if fitting(rest, memory) == len(rest) {
				next = rest
				break
			}
			many := fitting(runs, group)
			if many < 2 {
				next, runs = append(next, runs[0]), runs[1:]
				continue
			}
			run, err := merge(runs[:many])
			if err != nil {
				return nil, n, fmt.Errorf("merge in rounds: %w", err)
			}
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

// roundMemory is what the sources of a merge into a scratch run have.
func (m *Merge) roundMemory() int64 {
	return m.finalMemory() - writerMemory(m.blockSize, writeBufferFor(m.cfg.Memory))
}

// reduce merges groups of sources into scratch runs until the rest can be merged at once.
func (m *Merge) reduce(ctx context.Context, sources []Source) ([]Source, error) {
	least := leastChunk(m.cfg.Memory)
	cost := func(s *Source) int64 { return sourceCost(&s.Segment, least) }
	sources, n, err := rounds(sources, cost, m.finalMemory(), m.roundMemory(), func(group []Source) (Source, error) {
		return m.mergeGroup(ctx, group)
	})
	m.stats.Rounds += n
	return sources, err
}

// mergeGroup merges sources into a run.
func (m *Merge) mergeGroup(ctx context.Context, sources []Source) (Source, error) {
	tree := m.open(ctx, sources, m.roundMemory())
	defer tree.close()
	layout := fileLayout{
		identity: Identity{Job: "scratch", Task: len(m.runs)}, partitions: 1,
		blockSize: m.blockSize, buffer: writeBufferFor(m.cfg.Memory), codec: m.cfg.Codec,
		sortedValues: m.cfg.Combine.sorted(m.cfg.SortValues),
	}
	run, err := createRun(m.cfg.Scratch, layout, func(f *fileWriter) error {
		f.begin(0)
		err := m.combiner.write(f, tree, nil)
		f.end()
		return err
	})
	if err != nil {
		return Source{}, err
	}
	m.runs = append(m.runs, run)
	m.stats.SpilledBytes += run.manifest.Size
	return run.source(0), nil
}
