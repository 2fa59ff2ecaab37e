package shuffle

import "github.com/bucketmill/bucketmill/internal/record"

// sortBlock is the size in bytes of the blocks that a SortBuffer gathers.
const sortBlock = 64 << 10

// SortBuffer gathers records in memory and, whenever it is full, hands them on in the order of
// their keys. Records of one key keep the order of their arrival, so equal input gives equal
// output.
//
// It belongs to one goroutine at a time.
type SortBuffer struct {
	memory  int64
	sorted  func(next func() ([]byte, error)) error
	emitter *record.Emitter
	emitted int64 // the emitter's record count at the last hand-over
	router  router
	arena   *arena
}

// NewSortBuffer returns a SortBuffer that is full when its records and their index take memory
// bytes. Then, and in Flush, it calls sorted, which reads blocks of records from next until that
// returns io.EOF. A block is valid until the next call. The emitter keeps the first error of
// sorted.
func NewSortBuffer(memory int64, sorted func(next func() ([]byte, error)) error) *SortBuffer {
	b := &SortBuffer{memory: memory, sorted: sorted, router: newRouter(Partitioner{Partitions: 1}, 0)}
	b.arena = newArena(&b.router)
	b.emitter = record.NewEmitter(sortBlock, b.take)
	return b
}

// Emitter returns the emitter that fills the buffer, which is the same every time.
func (b *SortBuffer) Emitter() *record.Emitter { return b.emitter }

// Flush hands on the records in the buffer, if there are any.
func (b *SortBuffer) Flush() error {
	if err := b.emitter.Flush(); err != nil {
		return err
	}
	return b.handOn()
}

// take receives the emitter's blocks.
func (b *SortBuffer) take(block []byte) ([]byte, error) {
	records, _ := b.emitter.Count()
	n := int(records - b.emitted)
	b.emitted = records
	if err := b.arena.add(block, n); err != nil {
		return nil, err
	}
	if b.arena.held+int64(len(b.arena.index))*entrySize >= b.memory {
		if err := b.handOn(); err != nil {
			return nil, err
		}
	}
	return b.arena.fresh(sortBlock), nil
}

func (b *SortBuffer) handOn() error {
	if len(b.arena.index) == 0 {
		return nil
	}
	stream := arenaStream{arena: b.arena, entries: b.arena.sort(false)[0], size: sortBlock}
	err := b.sorted(func() ([]byte, error) {
		block, _, err := stream.Next()
		return block, err
	})
	if err != nil {
		return err
	}
	b.arena.reset(sortBlock)
	return nil
}
