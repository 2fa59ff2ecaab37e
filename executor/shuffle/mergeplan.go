package shuffle

import "github.com/bucketmill/bucketmill/executor/shuffle/segfile"

// mergePlan says how a merge reads its sources.
type mergePlan struct {
	least    int64 // the shortest ranged read in bytes, of sources that take several; 0: no plan
	requests int64 // ranged reads of sources
	scratch  int64 // bytes that go through scratch runs at most
}

// plan finds the read length at which the sources cost the least: with short reads more runs share
// the memory and fewer bytes go through scratch runs; with long reads there are fewer requests.
func (m *Merge) plan(sources []segfile.Source) mergePlan {
	floor := leastChunk(m.cfg.Memory)
	best := m.tryPlan(sources, floor)
	best.least = floor
	if m.cfg.RequestCost == 0 {
		return best
	}
	cost := func(p mergePlan) int64 { return p.requests*m.cfg.RequestCost + p.scratch }
	for least := 2 * floor; least <= maxChunk && best.requests > int64(len(sources)); least *= 2 {
		p := m.tryPlan(sources, least)
		if p.least == 0 {
			break // no room for two
		}
		if cost(p) < cost(best) {
			best = p
		}
	}
	return best
}

// tryPlan plays through reduceBy and the merge after it without data.
func (m *Merge) tryPlan(sources []segfile.Source, least int64) mergePlan {
	p := mergePlan{least: least}
	left, _, err := m.roundsBy(least, sources, func(group []segfile.Source) (segfile.Source, error) {
		p.requests += m.readsOf(group, m.roundMemory())
		merged := segfile.Source{Segment: segfile.Segment{MaxBlock: int64(m.blockSize)}, Local: true}
		for i := range group {
			merged.Segment.Length += group[i].Segment.Length
			merged.Segment.MaxBlock = max(merged.Segment.MaxBlock, group[i].Segment.MaxBlock)
		}
		p.scratch += merged.Segment.Length
		return merged, nil
	})
	if err != nil {
		return mergePlan{} // the merge itself will report the error
	}
	p.requests += m.readsOf(left, m.finalMemory())
	return p
}

// readsOf returns how many ranged reads a merge of sources takes that share memory. Reads of
// scratch runs don't count.
func (m *Merge) readsOf(sources []segfile.Source, memory int64) (n int64) {
	chunk := bestChunk(sources, leastChunk(m.cfg.Memory), memory)
	for i := range sources {
		length := sources[i].Segment.Length
		switch {
		case sources[i].Local:
		case length <= 2*chunk: // see Reader.open
			n++
		default:
			n += (length + chunk - 1) / chunk
		}
	}
	return n
}

// Reads returns how many ranged reads a merge takes whose runs are length bytes long each, and how
// many of their bytes go through scratch runs at most. Memory and requestCost are as in
// MergeConfig.
func Reads(runs int, length, memory, requestCost int64) (requests, scratch int64) {
	m := Merge{cfg: MergeConfig{Memory: memory, RequestCost: requestCost}, blockSize: blockSizeFor(0, memory)}
	sources := make([]segfile.Source, runs)
	for i := range sources {
		sources[i].Segment = segfile.Segment{Length: length, MaxBlock: int64(m.blockSize)}
	}
	p := m.plan(sources)
	return p.requests, p.scratch
}
