package segfile

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/bucketmill/bucketmill/internal/record"
)

func TestManifestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 11))
	for range 50 {
		m := Manifest{BlockSize: 1 + r.Int64N(1<<17)}
		at := r.Int64N(100)
		for range 1 + r.IntN(50) {
			s := Segment{Offset: at}
			if r.IntN(3) > 0 {
				s.Records = 1 + r.Int64N(1<<30)
				s.RawBytes = 2*s.Records + r.Int64N(1<<30)
				s.MaxBlock = min(s.RawBytes, m.BlockSize)
				if large := m.BlockSize + 1 + r.Int64N(1<<20); r.IntN(4) == 0 && large <= s.RawBytes {
					s.MaxBlock = large
				}
				s.Length = blockHeaderLen + 1 + r.Int64N(1<<30)
			}
			at += s.Length
			m.Segments = append(m.Segments, s)
		}
		m.Size = at + r.Int64N(1000)
		b, err := m.AppendBinary([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseManifest(b[len("before"):])
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("got %+v (%v), want %+v", got, err, m)
		}
		for n := range len(b) - len("before") {
			if _, err := parseManifest(b[len("before"):][:n]); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("cut to %d of %d bytes: %v", n, len(b), err)
			}
		}
	}
}

// parseManifest reads all of what AppendBinary wrote.
func parseManifest(b []byte) (Manifest, error) {
	d := manifestDecoder{rest: b}
	var m Manifest
	d.begin(&m)
	d.segments(&m)
	if err := d.err(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// An index finds the same segments as parseManifest, and refuses the same bytes.
func TestManifestIndexEqualsManifest(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, partitions := range []int{1, 2, markEvery, markEvery + 1, 3*markEvery - 1} {
		m := Manifest{BlockSize: 1 << 16}
		at := int64(100)
		for range partitions {
			s := Segment{Offset: at}
			if r.IntN(3) > 0 {
				s.Length = 37 + r.Int64N(1<<20)
				s.Records = 1 + r.Int64N(1<<10)
				s.RawBytes = 2*s.Records + r.Int64N(1<<20)
				s.MaxBlock = min(m.BlockSize, s.RawBytes)
			}
			m.Segments = append(m.Segments, s)
			at += s.Length
		}
		m.Size = at + 50
		encoded, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		x, err := IndexManifest(encoded)
		if err != nil || x.Partitions() != partitions {
			t.Fatalf("%d partitions of %d, %v", x.Partitions(), partitions, err)
		}
		for p, want := range m.Segments {
			from, to := x.Range(p)
			if got, err := x.Segment(encoded[from:to], p); err != nil || got != want {
				t.Errorf("partition %d of %d: %+v, %v, want %+v", p, partitions, got, err, want)
			}
		}
		if _, err := x.Segment(nil, partitions-1); !errors.Is(err, ErrCorrupt) {
			t.Errorf("without its bytes: %v", err)
		}
		for cut := range encoded {
			_, want := parseManifest(encoded[:cut])
			if _, err := IndexManifest(encoded[:cut]); !errors.Is(err, ErrCorrupt) || err.Error() != want.Error() {
				t.Fatalf("%d of %d bytes: %v, not %v", cut, len(encoded), err, want)
			}
		}
		if _, err := IndexManifest(append(encoded, 0)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a byte too many: %v", err)
		}
	}
}

// TestLargeIndexTakesTwoReads has more partitions than the first read of ReadIndex covers.
func TestLargeIndexTakesTwoReads(t *testing.T) {
	const partitions = 100_000
	w, file := newFile(partitions, 64<<10)
	w.Begin(7)
	if err := w.Add(record.Append(nil, []byte("a"), []byte("1")), 1); err != nil {
		t.Fatal(err)
	}
	w.End()
	want, err := w.Finish([]byte("1 record"))
	if err != nil {
		t.Fatal(err)
	}
	reads := 0
	o := object(file.Bytes())
	o.Open = func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		reads++
		return openBytes(file.Bytes())(ctx, offset, length)
	}
	x, err := ReadIndex(t.Context(), o)
	if err != nil || x.Identity != testIdentity || !reflect.DeepEqual(x.Manifest, want) || string(x.Note) != "1 record" {
		t.Errorf("identity, manifest or note %q differs (%v)", x.Note, err)
	}
	if reads != 2 {
		t.Errorf("%d reads, want 2", reads)
	}
}

func TestCompressRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 13))
	for raw, want := range map[string]codec{
		"x": codecNone, randomBytes(r, 5000, 256): codecNone, randomBytes(r, 100_000, 3): codecS2,
	} {
		packed, used := compress([]byte("before"), []byte(raw))
		packed = packed[len("before"):]
		if used != want || used == codecNone && len(packed) != len(raw) {
			t.Errorf("%d bytes: codec %d, want %d", len(raw), used, want)
		}
		got, err := decompress(nil, used, packed, len(raw))
		if err != nil || string(got) != raw {
			t.Errorf("%d bytes do not come back: %v", len(raw), err)
		}
		for _, n := range []int{0, len(raw) - 1, len(raw) + 1} {
			if _, err := decompress(nil, used, packed, n); !errors.Is(err, errDecompress) {
				t.Errorf("wrong length %d of %d: %v", n, len(raw), err)
			}
		}
	}
}

// Reserved values are refused: they may mean something in a later format.
func TestReservedValuesAreRefused(t *testing.T) {
	header := appendHeader(nil, testIdentity, 2, 64)
	header[5] = 1
	binary.LittleEndian.PutUint32(header[len(header)-4:], crc32.Checksum(header[:len(header)-4], castagnoli))
	if _, _, _, _, reason := parseHeader(header); reason != "file header out of bounds" {
		t.Errorf("byte 5 of the header: %q", reason)
	}
	block := make([]byte, blockHeaderLen)
	(&blockHeader{records: 1, rawLen: 9, payloadLen: 9, codec: 1}).put(block)
	if _, reason := parseBlockHeader(block); reason != "unknown codec" {
		t.Errorf("codec 1: %q", reason)
	}
}
