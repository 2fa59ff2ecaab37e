package shuffle

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
)

// MergeConfig configures a Merge.
type MergeConfig struct {
	// Combine is applied to the whole output.
	Combine Combine
	// SortValues orders the records of one key by value; the collectors must have sorted them so.
	// Otherwise they come in the order of the sources. With Combine.Dedup values are always sorted.
	SortValues bool
	// Memory is the budget in bytes for all buffers, at least MinMemory/2.
	Memory int64
	// Scratch is the folder for the runs of intermediate rounds. The first run creates it.
	Scratch string
	// Fetches is how many ranged reads may run at the same time; 0 is 8.
	Fetches int
	// BlockSize is the raw size in bytes of the blocks that Next returns and of those in scratch
	// runs; 0 is DefaultBlockSize. A small Memory makes it smaller.
	BlockSize int
	// RequestCost is the price of a ranged read of a source, as the number of bytes that cost the
	// same to write to a scratch run and read back. Where it is cheaper, runs that Memory would
	// force into many small reads are first merged into scratch runs with fewer reads. 0: requests
	// are free.
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

// MergeStats counts the work of a Merge.
type MergeStats struct {
	// Rounds is the number of passes over the records: 1 if all sources are merged at once.
	Rounds int
	// Requests and BytesFetched count ranged reads, of sources and of scratch runs alike.
	Requests, BytesFetched int64
	// Records and RawBytes count what Next has returned so far.
	Records, RawBytes int64
	// SpilledBytes is the size of the scratch runs that were written.
	SpilledBytes int64
}

// Merge is a sorted stream of the records of many runs. It belongs to one goroutine.
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
	err       error // the first, which every later call returns
}

// NewMerge starts reading the sources, each of which must be sorted; it skips empty segments. If
// Memory has no room for all of them at once, NewMerge first merges groups of neighbours into
// scratch runs, and returns when few enough are left. If it returns no error, the caller must call
// Close.
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

// finalMemory returns the memory in bytes that the last merge has for its sources.
func (m *Merge) finalMemory() int64 { return m.cfg.Memory - 2*int64(m.blockSize) }

// open starts a merge of sources that share memory bytes.
func (m *Merge) open(ctx context.Context, sources []segfile.Source, memory int64) *mergeTree {
	f := segfile.NewFetcher(ctx, m.cfg.Fetches, &m.requests, &m.bytes)
	chunk := bestChunk(sources, leastChunk(m.cfg.Memory), memory)
	return m.buffers.open(f, sources, chunk, m.blockSize, m.cfg.Combine.sorted(m.cfg.SortValues))
}

// Next returns the next block of encoded records, valid until the next call; then io.EOF on every
// call. Any other error is returned again by every later call; damage to a source is a
// *segfile.CorruptError.
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

// Stats returns the counts so far.
func (m *Merge) Stats() MergeStats {
	s := m.stats
	s.Requests, s.BytesFetched = m.requests.Load(), m.bytes.Load()
	return s
}

// Close ends all reads and removes the scratch runs. It may be called repeatedly.
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
