package shuffle

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/internal/tally"
)

const (
	// MinMemory is the smallest memory budget in bytes.
	MinMemory = 64 << 10
	// RecordShare limits a record: it may take up to a RecordShare-th of the memory budget.
	RecordShare = 8
	// DefaultBlockSize is the raw size of a file's blocks in bytes; see BenchmarkBlockSize.
	DefaultBlockSize = 64 << 10

	maxRecord = segfile.MaxBlock
	// partitionMemory is what a partition costs in bytes, even an empty one: its part of the index
	// and its segment in the manifest. The arena counts its own counter of the partition.
	partitionMemory = 80
)

// CollectorConfig configures a Collector.
type CollectorConfig struct {
	// Identity goes into the file's header and blocks.
	Identity    segfile.Identity
	Partitioner Partitioner
	// Combine is the zero value if records are not combined.
	Combine Combine
	// SortValues orders the records of one key by value instead of by arrival.
	SortValues bool
	// Memory is the budget in bytes for everything that the collector buffers, at least MinMemory.
	// One emitted block comes on top while it is handed over.
	Memory int64
	// Scratch is the folder for spilled runs. The first run creates it.
	Scratch string
	// BlockSize is the raw size of blocks in bytes; 0 is DefaultBlockSize. A small Memory
	// makes it smaller.
	BlockSize int
	// Note returns the note to keep in the file's index; nil: no note. It is called once, after all
	// records are written.
	Note func(CollectStats) ([]byte, error)
}

func (c *CollectorConfig) validate() error {
	if err := c.Identity.Validate(); err != nil {
		return err
	}
	if err := c.Partitioner.validate(); err != nil {
		return err
	}
	if c.Memory < MinMemory {
		return fmt.Errorf("memory budget of %d bytes: want at least %d", c.Memory, MinMemory)
	}
	if c.BlockSize < 0 || c.BlockSize > segfile.MaxBlock {
		return fmt.Errorf("block size of %d bytes is out of bounds", c.BlockSize)
	}
	if len(c.Partitioner.Spread) > 0 && (c.SortValues || c.Combine.Any()) {
		return errors.New("records of a key that is spread over partitions cannot be combined or sorted by value")
	}
	return c.Combine.validate()
}

// CollectStats counts the work of a Collector.
type CollectStats struct {
	// RecordsIn records were emitted; RecordsOut records are in the file, after combining.
	RecordsIn, RecordsOut int64
	// RawBytes is the length of the file's records before compression.
	RawBytes int64
	// Spills is the number of runs written to local disk; SpilledBytes is their size.
	Spills, SpilledBytes int64
}

// Collector takes the records of a map attempt and writes them, partitioned, sorted and combined,
// as one segment file. It belongs to one goroutine.
//
// Records that Columns or Dedup combine go into a hash table first. If the table hardly reduces
// their number, the collector drops it and only sorts.
type Collector struct {
	cfg       CollectorConfig
	router    router
	blockSize int   // raw bytes
	emitBlock int   // in bytes
	buffer    int   // of the file writer, in bytes
	usable    int64 // the part of the budget that is left for records

	emitter  *record.Emitter
	emitted  int64 // the emitter's record count at the last hand-over
	counted  int64 // records added by AddCount
	sums     bool  // the table has one column of sums
	table    *tally.Table
	arena    *arena
	sorted   arenaStream
	combiner *combiner
	spills   []*scratchRun
	stats    CollectStats
	err      error // AddCount's first
}

// NewCollector returns a Collector. The caller must call its Close.
func NewCollector(cfg CollectorConfig) (*Collector, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("shuffle collector: %w", err)
	}
	c := &Collector{cfg: cfg, router: newRouter(cfg.Partitioner, cfg.Identity.Task)}
	c.blockSize = blockSizeFor(cfg.BlockSize, cfg.Memory)
	c.buffer = writeBufferFor(cfg.Memory)
	c.emitBlock = int(min(maxArenaBlock, cfg.Memory/32))
	c.usable = cfg.Memory - writerMemory(c.blockSize, c.buffer) - int64(c.emitBlock) -
		int64(cfg.Partitioner.Partitions)*partitionMemory
	if c.usable < cfg.Memory/4 {
		return nil, fmt.Errorf("shuffle collector: memory budget of %d bytes is too small for %d partitions",
			cfg.Memory, cfg.Partitioner.Partitions)
	}
	c.arena = newArena(&c.router)
	c.sorted.size = c.blockSize
	c.combiner = newCombiner(cfg.Combine, c.blockSize)
	if cfg.Combine.Columns != nil {
		c.table = tally.New(cfg.Combine.Columns, c.usable-c.arena.bytes(), entrySize)
	} else if cfg.Combine.Dedup {
		c.table = tally.New(record.Columns{}, c.usable-c.arena.bytes(), entrySize)
	}
	c.sums = len(cfg.Combine.Columns) == 1 && cfg.Combine.Columns[0] == record.Sum
	c.emitter = record.NewEmitter(c.emitBlock, c.take)
	return c, nil
}

// blockSizeFor returns the raw size of blocks in bytes that suits a memory budget.
func blockSizeFor(want int, memory int64) int {
	if want == 0 {
		want = DefaultBlockSize
	}
	return int(min(int64(want), memory/32))
}

// writeBufferFor returns how many bytes a file writer gathers before it writes them.
func writeBufferFor(memory int64) int { return int(min(256<<10, memory/32)) }

// writerMemory is the memory that a file writer takes, with the block that it is given.
func writerMemory(blockSize, buffer int) int64 { return int64(buffer) + 3*int64(blockSize) }

// recordLimit returns the length in bytes of the longest encoded record that a memory budget
// allows.
func recordLimit(memory int64) int64 { return min(memory/RecordShare, maxRecord) }

// Emitter returns the emitter that takes the records, which is the same every time.
func (c *Collector) Emitter() *record.Emitter { return c.emitter }

// AddCount adds n to key's only column, like an emitted record but without the cost of encoding
// one. Combine.Columns must have one column. Finish returns the first error; what is added after
// that error is dropped.
func (c *Collector) AddCount(key []byte, n int64) {
	if c.sums && c.table.Count(key, n) {
		c.counted++
		return
	}
	c.addNew(key, n)
}

// addNew adds n to a key that is not in the table, or not in its first slot.
func (c *Collector) addNew(key []byte, n int64) {
	if c.table != nil && c.err == nil && len(c.cfg.Combine.Columns) == 1 && len(key) <= c.emitBlock-32 {
		if c.table.Add(key, n) {
			c.counted++
			return
		}
	}
	c.addSlow(key, n)
}

// AddCounts is AddCount for many keys. It looks up several keys at a time, so that the processor
// waits for the memory of all of them at once.
func (c *Collector) AddCounts(keys [][]byte, n int64) {
	for len(keys) > 0 {
		some := keys[:min(tally.Lookahead, len(keys))]
		keys = keys[len(some):]
		if !c.sums {
			for _, key := range some {
				c.AddCount(key, n)
			}
			continue
		}
		var hashed [tally.Lookahead]tally.Key
		c.table.Ready(hashed[:len(some)], some)
		for i, key := range some {
			if c.sums && c.table.CountKey(&hashed[i], n) {
				c.counted++
			} else {
				c.addNew(key, n)
			}
		}
	}
}

// addSlow adds n through the emitter, which copes with everything that AddCount cannot.
func (c *Collector) addSlow(key []byte, n int64) {
	if len(c.cfg.Combine.Columns) != 1 {
		c.err = errors.New("shuffle collector: AddCount needs exactly one column")
	}
	if c.err != nil {
		return
	}
	var value [binary.MaxVarintLen64]byte
	c.emitter.Emit(key, binary.AppendVarint(value[:0], n))
}

// take receives the emitter's blocks.
func (c *Collector) take(block []byte) ([]byte, error) {
	records, _ := c.emitter.Count()
	n := int(records - c.emitted)
	c.emitted = records
	if len(block) > c.emitBlock { // a single record
		if limit := recordLimit(c.cfg.Memory); int64(len(block)) > limit {
			return nil, &RecordTooLargeError{Size: int64(len(block)), Limit: limit, Memory: c.cfg.Memory}
		}
	}
	if c.table == nil {
		return c.index(block, n)
	}
	for rest := block; ; {
		taken, err := c.insert(rest)
		if err != nil {
			return nil, err
		}
		if rest = rest[taken:]; len(rest) == 0 {
			return block, nil
		}
		if taken == 0 && c.table.Len() == 0 { // not even the empty table has room for it
			c.dropTable()
		} else if err := c.empty(); err != nil {
			return nil, err
		}
		if c.table == nil {
			return c.index(rest, countRecords(rest))
		}
	}
}

// dropTable drops the table; the sorted runs are combined instead.
func (c *Collector) dropTable() { c.table, c.sums = nil, false }

func countRecords(block []byte) int {
	n := 0
	for ; len(block) > 0; n++ {
		_, _, end := lengths(block)
		block = block[end:]
	}
	return n
}

// insert puts records into the table and returns how many bytes of them it took.
func (c *Collector) insert(block []byte) (int, error) {
	if !c.cfg.Combine.Dedup {
		return c.table.Insert(block)
	}
	return c.table.InsertWhole(block)
}

// empty spills the full table. It drops a table that has combined less than a tenth of its records.
func (c *Collector) empty() error {
	futile := int64(c.table.Len()) > c.table.Inserted()-c.table.Inserted()/10
	if err := c.drain(); err != nil {
		return err
	}
	if futile {
		c.dropTable()
	} else {
		c.table.Reset()
	}
	if err := c.spill(); err != nil {
		return err
	}
	if c.table != nil { // its limit leaves room for its own records, not for the arena's spare memory
		c.arena = newArena(&c.router)
	}
	return nil
}

// drain moves the table's records to the arena. The table's limit has reserved the memory for them.
func (c *Collector) drain() error {
	if c.table.Len() == 0 {
		return nil
	}
	a := c.arena
	a.index = make([]entry, 0, c.table.Len())
	block := a.fresh(c.emitBlock)
	n := 0
	err := c.table.Each(func(key, value []byte) error {
		need := len(key) + len(value) + 2*binary.MaxVarintLen32
		if n > 0 && len(block)+need > c.emitBlock {
			if err := a.add(block, n); err != nil {
				return err
			}
			block, n = a.fresh(max(need, c.emitBlock)), 0
		}
		if c.cfg.Combine.Dedup {
			block = append(block, key...)
		} else {
			block = record.Append(block, key, value)
		}
		n++
		return nil
	})
	if err != nil {
		return err
	}
	return a.add(block, n)
}

// index keeps block for sorting and returns the next block to fill.
func (c *Collector) index(block []byte, n int) ([]byte, error) {
	if !c.arena.reserve(n, int64(cap(block)), c.usable) {
		if err := c.spill(); err != nil {
			return nil, err
		}
		if !c.arena.reserve(n, int64(cap(block)), c.usable) {
			c.arena = newArena(&c.router) // its index was sized for other records
			if !c.arena.reserve(n, int64(cap(block)), c.usable) {
				return nil, fmt.Errorf("%d records for %d partitions do not fit into a memory budget of %d bytes",
					n, c.router.Partitions, c.cfg.Memory)
			}
		}
	}
	if err := c.arena.add(block, n); err != nil {
		return nil, err
	}
	return c.arena.fresh(c.emitBlock), nil
}

// Finish writes the file to w; the caller commits it. Nothing may be emitted afterwards. Finish
// fails with the first error of the emitter, of AddCount, of w, of a combiner or of local disk.
func (c *Collector) Finish(ctx context.Context, w io.Writer) (segfile.Manifest, error) {
	if err := errors.Join(c.emitter.Flush(), c.err); err != nil {
		return segfile.Manifest{}, err
	}
	records, _ := c.emitter.Count()
	c.stats.RecordsIn = records + c.counted
	if c.table != nil {
		if err := c.drain(); err != nil {
			return segfile.Manifest{}, err
		}
		c.dropTable()
	}
	f := segfile.NewWriter(w, c.layout())
	if err := c.writeAll(ctx, f); err != nil {
		return segfile.Manifest{}, err
	}
	for _, s := range f.Segments() {
		c.stats.RecordsOut += s.Records
		c.stats.RawBytes += s.RawBytes
	}
	var note []byte
	if c.cfg.Note != nil {
		var err error
		if note, err = c.cfg.Note(c.stats); err != nil {
			return segfile.Manifest{}, err
		}
	}
	return f.Finish(note)
}

func (c *Collector) writeAll(ctx context.Context, f *segfile.Writer) error {
	if len(c.spills) == 0 {
		return c.writeArena(f)
	}
	return c.mergeSpills(ctx, f)
}

// Stats returns the counts so far; they are complete after Finish.
func (c *Collector) Stats() CollectStats { return c.stats }

// Close removes the spilled runs. It may be called at any time, and repeatedly.
func (c *Collector) Close() error {
	var errs []error
	for _, run := range c.spills {
		errs = append(errs, run.remove())
	}
	c.spills, c.arena = nil, nil
	c.dropTable()
	return errors.Join(errs...)
}
