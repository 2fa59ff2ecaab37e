package shuffle

import (
	"encoding/binary"
	"io"

	"github.com/bucketmill/bucketmill/internal/record"
)

// entry is the index's 16 bytes for one record.
type entry struct {
	// prefix is 8 bytes of the key, big endian.
	prefix uint64
	// loc has, from the top: the partition (20 bits); the rank, which is how many bytes of the key
	// are left from the start of prefix, up to 9 (4 bits); the number of the record's block (22
	// bits) and the record's offset in the block (18 bits).
	//
	// So the entries of one partition sort by (prefix, loc) as two plain numbers: among equal
	// prefixes the shorter key comes first, as its prefix is padded with zeros, and equal keys keep
	// the order of their arrival. Whole keys are compared only where both continue after the prefix
	// (rank 9).
	loc uint64
}

const (
	offsetBits, blockBits, rankBits = 18, 22, 4
	offsetMask                      = 1<<offsetBits - 1
	blockMask                       = 1<<blockBits - 1
	rankShift                       = offsetBits + blockBits
	rankMask                        = 1<<rankBits - 1
	partitionShift                  = rankShift + rankBits
	longRank                        = 9
	entrySize                       = 16

	// maxArenaBlock is the size in bytes of the largest block that may contain several records.
	maxArenaBlock = 1 << offsetBits
)

func (e entry) partition() int { return int(e.loc >> partitionShift) }
func (e entry) rank() int      { return int(e.loc>>rankShift) & rankMask }

// arena keeps encoded records in the blocks in which they arrived, without copying them, and an
// index of the records.
type arena struct {
	router *router
	blocks [][]byte
	index  []entry
	counts []int    // records of each partition
	free   [][]byte // empty blocks, for reuse
	held   int64    // capacity of blocks in bytes
	spare  int64    // capacity of free in bytes
}

func newArena(r *router) *arena { return &arena{router: r, counts: make([]int, r.Partitions)} }

// bytes returns the memory that the arena takes.
func (a *arena) bytes() int64 {
	return a.held + a.spare + int64(cap(a.index))*entrySize + int64(len(a.counts))*8
}

// reserve makes room for a block of n records that takes block bytes, if everything then fits into
// limit bytes, and reports whether it does. It gives up empty blocks for that.
func (a *arena) reserve(n int, block, limit int64) bool {
	if len(a.blocks) > blockMask {
		return false
	}
	for limit < a.bytes()+block && len(a.free) > 0 {
		a.fresh(0)
	}
	need := len(a.index) + n
	if need <= cap(a.index) {
		return a.bytes()+block <= limit
	}
	// While the index is copied, both the old and the new one take memory.
	room := int((limit - a.bytes() - block) / entrySize)
	if need > room {
		return false
	}
	bigger := make([]entry, len(a.index), min(max(need, 2*cap(a.index)), room))
	copy(bigger, a.index)
	a.index = bigger
	return true
}

// add keeps block and indexes its n records, after reserve has made room. It fails with
// record.ErrCorrupt if block does not contain n records.
func (a *arena) add(block []byte, n int) error {
	at := uint64(len(a.blocks)) << offsetBits
	a.blocks = append(a.blocks, block)
	a.held += int64(cap(block))
	for off := 0; off < len(block); n-- {
		key, _, size, err := record.Read(block[off:])
		if err != nil {
			return err
		}
		if n == 0 {
			return record.ErrCorrupt
		}
		prefix := keyPrefix(key)
		partition := a.router.route(key, prefix)
		a.index = append(a.index, entry{
			prefix: prefix,
			loc:    uint64(partition)<<partitionShift | uint64(min(len(key), longRank))<<rankShift | at | uint64(off),
		})
		a.counts[partition]++
		off += size
	}
	if n != 0 {
		return record.ErrCorrupt
	}
	return nil
}

// fresh returns an empty block of size bytes.
func (a *arena) fresh(size int) []byte {
	if n := len(a.free); n > 0 {
		block := a.free[n-1]
		a.free = a.free[:n-1]
		a.spare -= int64(cap(block))
		return block[:0]
	}
	return make([]byte, 0, size)
}

// reset removes all records. It keeps blocks of size bytes for reuse and gives up the others.
func (a *arena) reset(size int) {
	for i, block := range a.blocks {
		if cap(block) == size {
			a.free = append(a.free, block)
			a.spare += int64(size)
		}
		a.blocks[i] = nil
	}
	a.blocks, a.index, a.held = a.blocks[:0], a.index[:0], 0
	clear(a.counts)
}

// tail returns the rest of e's block, starting with e's record.
func (a *arena) tail(e entry) []byte {
	return a.blocks[e.loc>>offsetBits&blockMask][e.loc&offsetMask:]
}

// lengths decodes the lengths at the start of a record that add has found to be whole: the key is
// b[start:keyEnd], the record b[:end].
func lengths(b []byte) (start, keyEnd, end int) {
	if b[0]|b[1] < 0x80 {
		keyEnd = 2 + int(b[0])
		return 2, keyEnd, keyEnd + int(b[1])
	}
	klen, n := binary.Uvarint(b)
	vlen, m := binary.Uvarint(b[n:])
	start = n + m
	keyEnd = start + int(klen)
	return start, keyEnd, keyEnd + int(vlen)
}

func (a *arena) key(e entry) []byte {
	b := a.tail(e)
	start, keyEnd, _ := lengths(b)
	return b[start:keyEnd]
}

func (a *arena) value(e entry) []byte {
	b := a.tail(e)
	_, keyEnd, end := lengths(b)
	return b[keyEnd:end]
}

// arenaStream yields the records of entries, in their order, in blocks of about size bytes.
type arenaStream struct {
	arena   *arena
	entries []entry
	block   []byte
	size    int
}

// gather is how many records are looked up before they are copied. Sorted records are scattered in
// memory: looking them up in a row lets the processor wait for all of them at once.
const gather = 32

func (s *arenaStream) Next() ([]byte, int, error) {
	if len(s.entries) == 0 {
		return nil, 0, io.EOF
	}
	block := s.block[:0]
	n := 0
	var records [gather][]byte
	for len(s.entries) > 0 {
		ahead := s.entries[:min(gather, len(s.entries))]
		for i, e := range ahead {
			b := s.arena.tail(e)
			_, _, end := lengths(b)
			records[i] = b[:end]
		}
		for _, record := range records[:len(ahead)] {
			if n > 0 && len(block)+len(record) > s.size {
				s.block = block
				return block, n, nil
			}
			block = append(block, record...)
			s.entries = s.entries[1:]
			n++
		}
	}
	s.block = block
	return block, n, nil
}
