package shuffle

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
)

// MergeConfig is a Merge's configuration.
type MergeConfig struct {
	// Combine is applied to all that comes out.
	Combine Combine
	// SortValues orders records of one key by value, which the collectors must have done as well.
	// Otherwise they come in the order of the sources. With Combine.Dedup values are always sorted.
	SortValues bool
	// Memory is the budget in bytes for all buffers; at least MinMemory/2.
	Memory int64
	// Scratch is the folder for the runs of intermediate rounds. It is made by the first one.
	Scratch string
	// Fetches is how many ranged reads may run at a time; 0 is 8.
	Fetches int
	// BlockSize is the raw size in bytes of what Next returns and of blocks in scratch runs; 0 is
	// DefaultBlockSize. A small Memory makes it smaller.
	BlockSize int
	// RequestCost is what a ranged read of a source costs, in bytes that could go through a scratch
	// run for as much. Runs that Memory would have read piece by piece are merged into scratch runs
	// first, by fewer reads, where that is cheaper. 0: requests cost nothing.
	RequestCost int64
}

func (c *MergeConfig) validate() error {
	if c.Memory < MinMemory/2 {
		return fmt.Errorf("memory budget of %d bytes: want at least %d", c.Memory, MinMemory/2)
	}
	if c.BlockSize < 0 || c.BlockSize > segfile.MaxBlock {
		return fmt.Errorf("block size of %d bytes is out of bounds", c.BlockSize)
	}
	if c.RequestCost < 0 {
		return fmt.Errorf("a request costs %d bytes: want 0 or more", c.RequestCost)
	}
	if c.Fetches < 0 {
		return fmt.Errorf("%d fetches at a time: want 1 or more, or 0 for the default", c.Fetches)
	}
	return c.Combine.validate()
}

// MergeStats counts what a Merge did.
type MergeStats struct {
	// Rounds is the number of passes over the records: 1 when all sources were merged at once.
	Rounds int
	// Requests and BytesFetched count ranged reads, of sources and of scratch runs alike.
	Requests, BytesFetched int64
	// Records and RawBytes are what Next returned so far.
	Records, RawBytes int64
	// SpilledBytes is the size of the scratch runs written.
	SpilledBytes int64
}

// Merge is a sorted stream of the records of many sources. It belongs to one goroutine.
type Merge struct {
	cfg       MergeConfig
	blockSize int
	buffers   *mergeBuffers
	combiner  *combiner
	tree      *mergeTree
	stream    blockStream
	runs      []*scratchRun
	stats     MergeStats
	requests  atomic.Int64
	bytes     atomic.Int64
	err       error // the first; it stays
}

// NewMerge starts reading the sources, each of which must be sorted. When there are more than Memory has room
// for, it first merges groups of neighbours into scratch runs, and returns when few enough are left.
// Close must be called if it returns no error. Empty segments are passed over.
func NewMerge(ctx context.Context, cfg MergeConfig, sources []segfile.Source) (_ *Merge, err error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("shuffle merge: %w", err)
	}
	if cfg.Fetches == 0 {
		cfg.Fetches = 8
	}
	m := &Merge{cfg: cfg, blockSize: blockSizeFor(cfg.BlockSize, cfg.Memory), buffers: &mergeBuffers{}}
	m.combiner = newCombiner(cfg.Combine, m.blockSize)
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	var filled []segfile.Source
	for _, s := range sources {
		if s.Segment.Length > 0 {
			filled = append(filled, s)
		}
	}
	filled, err = m.reduce(ctx, filled)
	if err != nil {
		return nil, err
	}
	m.stats.Rounds++
	m.tree = m.open(ctx, filled, m.finalMemory())
	m.stream = m.combiner.stream(m.tree)
	return m, nil
}

// finalMemory is what the last merge has for its sources.
func (m *Merge) finalMemory() int64 { return m.cfg.Memory - 2*int64(m.blockSize) }

// open starts the merge of sources in so many bytes of memory.
func (m *Merge) open(ctx context.Context, sources []segfile.Source, memory int64) *mergeTree {
	f := segfile.NewFetcher(ctx, m.cfg.Fetches, &m.requests, &m.bytes)
	chunk := bestChunk(sources, leastChunk(m.cfg.Memory), memory)
	return m.buffers.open(f, sources, chunk, m.blockSize, m.cfg.Combine.sorted(m.cfg.SortValues))
}

// Next returns the next block of records in mapred's encoding, valid until the next call; io.EOF at
// the end and ever after. Any other error stays as well; what is wrong with a source is a
// *CorruptError.
func (m *Merge) Next() ([]byte, error) {
	if m.err != nil {
		return nil, m.err
	}
	block, n, err := m.stream.Next()
	if err != nil {
		m.err = err
		return nil, err
	}
	m.stats.Records += int64(n)
	m.stats.RawBytes += int64(len(block))
	return block, nil
}

// Stats returns what was counted so far.
func (m *Merge) Stats() MergeStats {
	s := m.stats
	s.Requests, s.BytesFetched = m.requests.Load(), m.bytes.Load()
	return s
}

// Close ends all reads and removes the scratch runs. It may be called more than once.
func (m *Merge) Close() error {
	if m.tree != nil {
		m.tree.close()
		m.tree = nil
	}
	err := m.dropRuns()
	if m.err == nil {
		m.err = errClosed
	}
	return err
}

var errClosed = errors.New("shuffle merge is closed")
