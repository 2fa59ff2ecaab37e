package segfile

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/bucketmill/bucketmill/internal/record"
)

func FuzzManifest(f *testing.F) {
	_, m := smallFile(f)
	for _, m := range []Manifest{
		m,
		{Size: 60, BlockSize: 1, Segments: make([]Segment, 1)},
		{Size: 1 << 40, BlockSize: 64, Segments: []Segment{
			{Offset: 9, Length: 1 << 39, Records: 1, RawBytes: 1 << 30, MaxBlock: 1 << 30},
			{Offset: 9 + 1<<39},
		}},
	} {
		b, err := m.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{})
	f.Add([]byte{1, 0x80, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if _, indexed := IndexManifest(b); fmt.Sprint(indexed) != fmt.Sprint(err) {
			t.Fatalf("%x: read whole: %v; indexed: %v", b, err, indexed)
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error is not ErrCorrupt: %v", err)
			}
			return
		}
		again, err := m.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x parses, but is written as %x (%v)", b, again, err)
		}
	})
}

// FuzzBlock gives the reader blocks whose checksums are right.
func FuzzBlock(f *testing.F) {
	raw := record.Append(record.Append(nil, []byte("key"), []byte("value")), []byte("other"), bytes.Repeat([]byte("x"), 99))
	packed, used := compress(nil, raw)
	f.Add(packed, uint32(len(raw)), uint32(2), uint8(used), uint8(flagLast))
	f.Add(raw, uint32(len(raw)), uint32(2), uint8(codecNone), uint8(flagLast))
	f.Fuzz(func(t *testing.T, payload []byte, rawLen, records uint32, codecs, flags uint8) {
		h := blockHeader{
			fingerprint: testIdentity.fingerprint(), records: records, rawLen: min(rawLen, 1<<20),
			payloadLen: uint32(len(payload)), payloadCRC: crc32.Checksum(payload, castagnoli), codec: codec(codecs), flags: flags,
		}
		block := make([]byte, blockHeaderLen)
		h.put(block)
		block = append(block, payload...)
		var requests, fetched atomic.Int64
		fetcher := NewFetcher(t.Context(), 1, &requests, &fetched)
		defer fetcher.Close()
		var r Reader
		r.Open(Source{
			Name: "fuzz", Identity: testIdentity, Open: openBytes(block),
			Segment: Segment{Length: int64(len(block)), Records: int64(records), RawBytes: int64(h.rawLen), MaxBlock: int64(h.rawLen)},
		}, fetcher, 1<<20, false)
		if err := verifySegment(&r); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("error is not ErrCorrupt: %v", err)
		}
	})
}

func FuzzFile(f *testing.F) {
	file, _ := smallFile(f)
	f.Add(file)
	f.Add(file[:len(file)-footerLen])
	w, empty := newFile(1, 64)
	if _, err := w.Finish(nil); err != nil {
		f.Fatal(err)
	}
	f.Add(empty.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		o := object(b)
		x, err := ReadIndex(t.Context(), o)
		id, m := x.Identity, x.Manifest
		report, verifyErr := Verify(t.Context(), o)
		for _, err := range []error{err, verifyErr} {
			if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error is not ErrCorrupt: %v", err)
			}
		}
		if verifyErr == nil && (err != nil || id != report.Identity || !reflect.DeepEqual(m, report.Manifest)) {
			t.Fatalf("Verify and ReadIndex disagree: %v", err)
		}
	})
}

// FuzzIndex gives ReadIndex and Verify segments and an index whose checksums are right.
func FuzzIndex(f *testing.F) {
	file, m := smallFile(f)
	header := len(appendHeader(nil, testIdentity, 3, 64))
	end := m.Segments[2].Offset + m.Segments[2].Length
	f.Add(file[header:end], m.appendSegments([]byte{4, 'n', 'o', 't', 'e'}), uint32(3), uint32(64))
	f.Add([]byte{}, []byte{0, 64, 0, 1, 0}, uint32(1), uint32(64))
	f.Fuzz(func(t *testing.T, body, rest []byte, partitions, blockSize uint32) {
		file := append(appendHeader(nil, testIdentity, int(partitions), int(blockSize)), body...)
		at := len(file)
		file = append(appendHeader(file, testIdentity, int(partitions), int(blockSize)), rest...)
		index := file[at:]
		file = appendFooter(file, footer{
			indexOffset: int64(at), indexLen: uint32(len(index)), indexCRC: crc32.Checksum(index, castagnoli),
			size: int64(len(file) + footerLen),
		})
		report, err := Verify(t.Context(), object(file))
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("error is not ErrCorrupt: %v", err)
		}
		if err == nil && len(report.Manifest.Segments) != int(partitions) {
			t.Fatalf("%d segments of %d partitions", len(report.Manifest.Segments), partitions)
		}
	})
}
