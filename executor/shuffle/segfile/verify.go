package segfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/internal/record"
)

// Object is a whole file on a store.
type Object struct {
	// Name is the object's name in errors.
	Name string
	// Size is the object's length in bytes.
	Size int64
	Open OpenFunc
}

// tailRead is how many bytes ReadIndex reads first: enough for an index of about ten thousand
// partitions.
const tailRead = 64 << 10

// leastRead and mostRead are the limits of the length of Verify's ranged reads, in bytes.
const (
	leastRead = 64 << 10
	mostRead  = 8 << 20
)

func (o *Object) corrupt(offset int64, reason string) error {
	return &CorruptError{Object: o.Name, Partition: -1, Block: -1, Offset: offset, Reason: reason}
}

func (o *Object) read(ctx context.Context, offset, length int64) ([]byte, error) {
	b, err := readRange(ctx, o.Open, offset, length, nil)
	if errors.Is(err, errShort) {
		return nil, o.corrupt(offset+int64(len(b)), errShort.Error())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	return b, nil
}

// Index is what a file says about itself.
type Index struct {
	Identity Identity
	Manifest Manifest
	Note     []byte // the writer's note

	header []byte // a copy of the file's header
}

// ReadIndex reads a file's footer and index with at most two ranged reads, and repeats them if the
// bytes are damaged. Lasting damage is a *CorruptError. ReadIndex does not check the header at the
// start of the file, nor the segments.
func ReadIndex(ctx context.Context, o Object) (index Index, err error) {
	err = readAgain(func() (err error) {
		index, err = o.readIndexOnce(ctx)
		return err
	}, func() {})
	return index, err
}

func (o *Object) readIndexOnce(ctx context.Context) (Index, error) {
	fail := func(offset int64, reason string) (Index, error) { return Index{}, o.corrupt(offset, reason) }
	if o.Size < fileHeaderLen+footerLen {
		return fail(0, "object is too short for a segment file")
	}
	at := max(0, o.Size-tailRead)
	tail, err := o.read(ctx, at, o.Size-at)
	if err != nil {
		return Index{}, err
	}
	foot, err := parseFooter(tail[len(tail)-footerLen:], o.Size)
	if err != nil {
		return fail(o.Size-footerLen, err.Error())
	}
	var index []byte
	if foot.indexOffset >= at {
		index = tail[foot.indexOffset-at : len(tail)-footerLen]
	} else if index, err = o.read(ctx, foot.indexOffset, int64(foot.indexLen)); err != nil {
		return Index{}, err
	}
	if crc32.Checksum(index, castagnoli) != foot.indexCRC {
		return fail(foot.indexOffset, "index checksum mismatch")
	}
	id, partitions, blockSize, n, reason := parseHeader(index)
	if reason != "" {
		return fail(foot.indexOffset, reason)
	}
	m := Manifest{Size: o.Size}
	d := manifestDecoder{rest: index[n:]}
	note := d.bytes()
	d.segments(&m)
	if d.reason != "" {
		return fail(foot.indexOffset+int64(n), d.reason)
	}
	end := m.Segments[len(m.Segments)-1]
	if len(m.Segments) != partitions || m.BlockSize != int64(blockSize) ||
		m.Segments[0].Offset != int64(n) || end.Offset+end.Length != foot.indexOffset {
		return fail(foot.indexOffset, "index does not fit the file")
	}
	return Index{Identity: id, Manifest: m, Note: note, header: index[:n]}, nil
}

// Report is what Verify found in an undamaged file.
type Report struct {
	Identity Identity
	Manifest Manifest
	// Blocks and Records are the file's counts; RawBytes is the length of its records before
	// compression.
	Blocks, Records, RawBytes int64
}

// Verify reads a whole file and checks every byte of it: checksums, order, counts, and whether
// everything is where the index says. Damage is a *CorruptError.
func Verify(ctx context.Context, o Object) (Report, error) {
	index, err := ReadIndex(ctx, o)
	if err != nil {
		return Report{}, err
	}
	if err := readAgain(func() error { return o.checkHeader(ctx, index.header) }, func() {}); err != nil {
		return Report{}, err
	}
	id, m := index.Identity, index.Manifest
	report := Report{Identity: id, Manifest: m}
	var requests, fetchedBytes atomic.Int64
	f := NewFetcher(ctx, 2, &requests, &fetchedBytes)
	defer f.Close()
	r := &Reader{}
	for p, segment := range m.Segments {
		if segment.Length == 0 {
			continue
		}
		r.Open(Source{Name: o.Name, Identity: id, Partition: p, Segment: segment, Open: o.Open},
			f, min(mostRead, max(leastRead, segment.MaxBlock)), false)
		if err := verifySegment(r); err != nil {
			return Report{}, err
		}
		report.Blocks += int64(r.ordinal)
		report.Records += segment.Records
		report.RawBytes += segment.RawBytes
	}
	return report, nil
}

func (o *Object) checkHeader(ctx context.Context, want []byte) error {
	head, err := o.read(ctx, 0, int64(len(want)))
	if err != nil {
		return err
	}
	if !bytes.Equal(head, want) {
		return o.corrupt(0, "file header differs from its copy in the index")
	}
	return nil
}

// verifySegment checks the order of all records.
func verifySegment(r *Reader) error {
	var lastKey, lastValue []byte
	first := true
	for {
		block, n, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for len(block) > 0 {
			key, value, size, err := record.Read(block)
			if err != nil {
				return r.CorruptRecords("block does not contain the records that its header says")
			}
			order := bytes.Compare(lastKey, key)
			if !first && (order > 0 || order == 0 && r.valuesSorted && bytes.Compare(lastValue, value) > 0) {
				return r.CorruptRecords("records are out of order")
			}
			lastKey, lastValue, first = append(lastKey[:0], key...), append(lastValue[:0], value...), false
			block = block[size:]
			n--
		}
		if n != 0 {
			return r.CorruptRecords("block does not contain the records that its header says")
		}
	}
}
