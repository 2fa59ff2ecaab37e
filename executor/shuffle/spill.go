package shuffle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
)

// layout returns the layout of the file and of every spilled run.
func (c *Collector) layout() segfile.Layout {
	return segfile.Layout{
		Identity: c.cfg.Identity, Partitions: c.router.Partitions, BlockSize: c.blockSize, Buffer: c.buffer,
		SortedValues: c.cfg.Combine.sorted(c.cfg.SortValues),
	}
}

// writeArena sorts the arena's records and writes them.
func (c *Collector) writeArena(f *segfile.Writer) error {
	stream := &c.sorted
	stream.arena = c.arena
	defer func() { stream.arena, stream.entries = nil, nil }() // else the stream would keep the arena's memory
	for p, entries := range c.arena.sort(c.cfg.Combine.sorted(c.cfg.SortValues)) {
		if len(entries) == 0 {
			continue
		}
		stream.entries = entries
		if err := c.combiner.write(f, p, stream); err != nil {
			return err
		}
	}
	return nil
}

// createRun creates a run on local disk.
func (c *Collector) createRun(write func(*segfile.Writer) error) (*scratchRun, error) {
	return createRun(c.cfg.Scratch, c.layout(), write)
}

// spill writes the arena's records to local disk and empties the arena.
func (c *Collector) spill() error {
	if len(c.arena.index) == 0 {
		return nil
	}
	run, err := c.createRun(c.writeArena)
	if err != nil {
		return fmt.Errorf("spill: %w", err)
	}
	c.spills = append(c.spills, run)
	c.stats.Spills++
	c.stats.SpilledBytes += run.manifest.Size
	c.arena.reset(c.emitBlock)
	return nil
}

// mergeSpills merges all runs into f. The records in memory become the last run, so that the whole
// budget is free for reading.
func (c *Collector) mergeSpills(ctx context.Context, f *segfile.Writer) error {
	if err := c.spill(); err != nil {
		return err
	}
	c.arena = newArena(&c.router)
	least := leastChunk(c.mergeMemory())
	cost := func(run **scratchRun) int64 {
		var most int64
		for i := range (*run).manifest.Segments {
			most = max(most, sourceCost(&(*run).manifest.Segments[i], least))
		}
		return most
	}
	sources := c.mergeMemory() - 2*int64(c.blockSize)
	memory := sources - writerMemory(c.blockSize, c.buffer)
	runs, _, err := rounds(c.spills, cost, sources, memory, func(group []*scratchRun) (*scratchRun, error) {
		return c.mergeRuns(ctx, group, memory)
	})
	if err != nil {
		return err
	}
	if err := c.mergeInto(ctx, f, runs, sources); err != nil {
		return fmt.Errorf("merge spilled runs: %w", err)
	}
	return nil
}

// mergeMemory returns the memory in bytes that a merge of spilled runs has, besides the writer of
// its output.
func (c *Collector) mergeMemory() int64 { return c.cfg.Memory - writerMemory(c.blockSize, c.buffer) }

// mergeRuns replaces several runs with one.
func (c *Collector) mergeRuns(ctx context.Context, group []*scratchRun, memory int64) (*scratchRun, error) {
	run, err := c.createRun(func(f *segfile.Writer) error { return c.mergeInto(ctx, f, group, memory) })
	if err != nil {
		return nil, err
	}
	var errs []error
	kept := []*scratchRun{run}
	for _, old := range c.spills {
		if slices.Contains(group, old) {
			errs = append(errs, old.remove())
		} else {
			kept = append(kept, old)
		}
	}
	c.spills = kept
	c.stats.SpilledBytes += run.manifest.Size
	return run, errors.Join(errs...)
}

// mergeInto merges runs into f, partition by partition, within memory bytes.
func (c *Collector) mergeInto(ctx context.Context, f *segfile.Writer, runs []*scratchRun, memory int64) error {
	widest := make([]segfile.Source, len(runs)) // all partitions are read with one length of reads
	for i, run := range runs {
		for _, s := range run.manifest.Segments {
			widest[i].Segment.Length = max(widest[i].Segment.Length, s.Length)
			widest[i].Segment.MaxBlock = max(widest[i].Segment.MaxBlock, s.MaxBlock)
		}
	}
	chunk := bestChunk(widest, leastChunk(c.mergeMemory()), memory)
	var requests, fetched atomic.Int64
	fetcher := segfile.NewFetcher(ctx, 2, &requests, &fetched)
	defer fetcher.Close()
	buffers := &mergeBuffers{}
	var sources []segfile.Source
	for p := range c.router.Partitions {
		sources = sources[:0]
		for _, run := range runs {
			if run.manifest.Segments[p].Length > 0 {
				sources = append(sources, run.source(p))
			}
		}
		if len(sources) == 0 {
			continue
		}
		tree := buffers.open(fetcher, sources, chunk, c.blockSize, c.cfg.Combine.sorted(c.cfg.SortValues))
		if err := c.combiner.write(f, p, tree); err != nil {
			return err
		}
	}
	return nil
}
