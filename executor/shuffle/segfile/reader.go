package segfile

import (
	"errors"
	"fmt"
	"io"
)

// Source is a sorted run: one partition of one file.
type Source struct {
	// Name is the object's name in errors.
	Name string
	// Identity is the attempt that must have written the object.
	Identity  Identity
	Partition int
	Segment   Segment
	Open      OpenFunc

	// Local says that the object is on local disk, where a read is not a request.
	Local bool
}

// Reader reads one segment block by block, with one ranged read ahead of its consumer. It checks
// each block against everything that is known about it.
type Reader struct {
	src         Source
	fingerprint uint32
	fetcher     *Fetcher
	sorted      bool  // blocks must have flagSortedValues
	chunk       int64 // bytes of a ranged read

	ahead    chan fetched // receives the read that is under way
	underway bool
	fetchAt  int64  // the next read's offset in the segment
	rest     []byte // bytes read but not yet consumed
	current  []byte // the buffer that contains rest
	spare    []byte // the buffer for the next read
	carry    []byte // a header or payload that spans several reads
	raw      []byte // the decompressed block

	blockAt  int64 // the last block's offset in the segment
	consumed int64 // bytes of the segment consumed so far
	ordinal  uint32
	records  int64
	rawBytes int64
	last     bool
	// valuesSorted reports whether the last block has flagSortedValues.
	valuesSorted bool
}

// Open makes r read src and starts the first read. It reuses r's buffers. Ranged reads have chunk
// bytes; sorted says that the records of each key must be sorted by value. Reads of the previous
// source must have ended.
func (r *Reader) Open(src Source, f *Fetcher, chunk int64, sorted bool) {
	if src.Segment.Length <= 2*chunk { // one read takes no more memory than two reads of chunk bytes
		chunk = src.Segment.Length
		r.spare = nil
	} else if int64(cap(r.current)) > chunk {
		r.current = nil
	}
	*r = Reader{
		src: src, fingerprint: src.Identity.fingerprint(), fetcher: f, sorted: sorted,
		chunk: chunk, ahead: make(chan fetched, 1),
		current: r.spare, spare: r.current, carry: r.carry[:0], raw: r.raw[:0],
	}
	r.prefetch()
}

// prefetch starts the next ranged read if there is more to read.
func (r *Reader) prefetch() {
	n := min(r.chunk, r.src.Segment.Length-r.fetchAt)
	if n <= 0 || r.underway {
		return
	}
	r.fetcher.start(r.src.Open, r.src.Segment.Offset+r.fetchAt, n, r.spare, r.ahead)
	r.spare = nil
	r.fetchAt += n
	r.underway = true
}

// await waits for the read that is under way, makes its bytes the current ones and starts the next
// read.
func (r *Reader) await() error {
	r.prefetch()
	if !r.underway {
		return errShort
	}
	got := <-r.ahead
	r.underway = false
	r.spare, r.current, r.rest = r.current, got.data, got.data
	if got.err != nil {
		return got.err
	}
	r.prefetch()
	return nil
}

// take consumes n bytes, which are valid until the next call.
func (r *Reader) take(n int) ([]byte, error) {
	if len(r.rest) >= n {
		b := r.rest[:n]
		r.rest = r.rest[n:]
		return b, nil
	}
	r.carry = append(grow(r.carry[:0], n), r.rest...)
	for len(r.carry) < n {
		if err := r.await(); err != nil {
			return nil, err
		}
		m := min(n-len(r.carry), len(r.rest))
		r.carry = append(r.carry, r.rest[:m]...)
		r.rest = r.rest[m:]
	}
	return r.carry, nil
}

// rewind drops what was read ahead and continues at offset at of the segment with a new read.
func (r *Reader) rewind(at int64) {
	if r.underway {
		r.spare = (<-r.ahead).data
		r.underway = false
	}
	r.rest, r.fetchAt = nil, at
}

// Next returns the next block and the number of its records, then io.EOF on every call. The block
// is valid until the next call. Next reads a damaged block again, with new requests, before it
// reports a *CorruptError.
func (r *Reader) Next() (block []byte, n int, err error) {
	if r.last {
		return nil, 0, io.EOF
	}
	err = readAgain(func() (err error) {
		block, n, err = r.block()
		return err
	}, func() { r.rewind(r.consumed) })
	return block, n, err
}

func (r *Reader) block() ([]byte, int, error) {
	remaining := r.src.Segment.Length - r.consumed
	if remaining < blockHeaderLen {
		return nil, 0, r.corrupt("segment ends without its last block")
	}
	b, err := r.take(blockHeaderLen)
	if err != nil {
		return nil, 0, r.readError(err)
	}
	h, reason := parseBlockHeader(b)
	if reason == "" {
		reason = r.mismatch(&h, remaining)
	}
	if reason != "" {
		return nil, 0, r.corrupt(reason)
	}
	payload, err := r.take(int(h.payloadLen))
	if err != nil {
		return nil, 0, r.readError(err)
	}
	if !h.verifyPayload(payload) {
		return nil, 0, r.corrupt("block checksum mismatch")
	}
	raw, err := decompress(r.raw, h.codec, payload, int(h.rawLen))
	if err != nil {
		return nil, 0, r.corrupt(err.Error())
	}
	if h.codec != codecNone {
		r.raw = raw
	}
	r.blockAt = r.consumed
	r.consumed += blockHeaderLen + int64(h.payloadLen)
	r.ordinal++
	r.records += int64(h.records)
	r.rawBytes += int64(h.rawLen)
	r.last = h.flags&flagLast != 0
	r.valuesSorted = h.flags&flagSortedValues != 0
	return raw, int(h.records), nil
}

// mismatch says why a valid block does not belong here.
func (r *Reader) mismatch(h *blockHeader, remaining int64) string {
	seg := &r.src.Segment
	after := remaining - blockHeaderLen - int64(h.payloadLen)
	last := h.flags&flagLast != 0
	switch {
	case h.fingerprint != r.fingerprint:
		return "block is of another attempt's file"
	case int64(h.partition) != int64(r.src.Partition):
		return fmt.Sprintf("block is of partition %d", h.partition)
	case h.ordinal != r.ordinal:
		return fmt.Sprintf("block is number %d of its segment", h.ordinal)
	case int64(h.rawLen) > seg.MaxBlock:
		return fmt.Sprintf("block of %d raw bytes, the manifest says at most %d", h.rawLen, seg.MaxBlock)
	case after < 0:
		return "block continues after the segment's end"
	case last && after > 0:
		return fmt.Sprintf("%d bytes after the last block", after)
	case !last && after == 0:
		return "segment ends without its last block"
	case last && r.records+int64(h.records) != seg.Records:
		return fmt.Sprintf("segment has %d records, the manifest says %d", r.records+int64(h.records), seg.Records)
	case last && r.rawBytes+int64(h.rawLen) != seg.RawBytes:
		return fmt.Sprintf("segment has %d raw bytes, the manifest says %d", r.rawBytes+int64(h.rawLen), seg.RawBytes)
	case r.sorted && h.flags&flagSortedValues == 0:
		return "values are not sorted"
	}
	return ""
}

// corrupt returns an error for the block at the reader's position.
func (r *Reader) corrupt(reason string) *CorruptError {
	return &CorruptError{
		Object: r.src.Name, Partition: r.src.Partition, Block: int(r.ordinal),
		Offset: r.src.Segment.Offset + r.consumed, Reason: reason,
	}
}

// CorruptRecords returns an error for the block that Next returned last.
func (r *Reader) CorruptRecords(reason string) *CorruptError {
	return &CorruptError{
		Object: r.src.Name, Partition: r.src.Partition, Block: int(r.ordinal) - 1,
		Offset: r.src.Segment.Offset + r.blockAt, Reason: reason,
	}
}

func (r *Reader) readError(err error) error {
	if errors.Is(err, errShort) {
		return r.corrupt(errShort.Error())
	}
	return fmt.Errorf("%s: %w", r.src.Name, err)
}
