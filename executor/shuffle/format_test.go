package shuffle

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// TestFormatStays holds the bytes of a small file: a change of them is a change of the format.
func TestFormatStays(t *testing.T) {
	file, _, _ := collect(t, CollectorConfig{
		Identity: testIdentity, Partitioner: Partitioner{Partitions: 2, Boundaries: [][]byte{[]byte("b")}}, Memory: 1 << 20, BlockSize: 1000,
	}, []kv{{"b", "2"}, {"a", "1"}, {"b", "1"}})
	const want = "" +
		"424d53480100050" + "00c0000000300000002000000e80300006a6f622d37"
	if got := hex.EncodeToString(file); len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("header is\n%s, want\n%s", got[:min(len(got), 2*fileHeaderLen+10)], want)
	}
	report, err := Verify(t.Context(), object("f", file))
	if err != nil {
		t.Fatal(err)
	}
	segments := []Segment{
		{Offset: 33, Length: 40, Records: 1, RawBytes: 4, MaxBlock: 4},
		{Offset: 73, Length: 44, Records: 2, RawBytes: 8, MaxBlock: 8},
	}
	if report.Identity != testIdentity || !slices.Equal(report.Manifest.Segments, segments) || report.Records != 3 || report.Blocks != 2 {
		t.Errorf("got %+v", report)
	}
}

// TestPartitionsStay holds the choice of partitions: all executors of a job must agree.
func TestPartitionsStay(t *testing.T) {
	p := Partitioner{Partitions: 1000}
	got := map[string]int{}
	for _, key := range []string{"", "a", "the", "https://example.com/"} {
		got[key] = p.Partition([]byte(key))
	}
	want := map[string]int{"": 934, "a": 821, "the": 293, "https://example.com/": 640}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRouterEqualsPartitioner(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	for _, key := range keyKinds {
		boundaries := [][]byte{}
		for range 40 {
			boundaries = append(boundaries, []byte(key(r)))
		}
		slices.SortFunc(boundaries, bytes.Compare)
		for _, p := range []Partitioner{{Partitions: 41}, {Partitions: 41, Boundaries: boundaries}} {
			routes := newRouter(p, 0)
			for range 500 {
				k := []byte(key(r))
				if got, want := routes.route(k, keyPrefix(k)), p.Partition(k); got != want || got < 0 || got >= 41 {
					t.Fatalf("key %q goes to %d and to %d", k, got, want)
				}
			}
			for i, b := range p.Boundaries {
				if got := p.Partition(b); got <= i {
					t.Fatalf("boundary %d is in partition %d", i, got)
				}
			}
		}
	}
}

func TestHashSpreadsEvenly(t *testing.T) {
	const partitions, keys = 64, 64_000
	p := Partitioner{Partitions: partitions}
	var counts [partitions]int
	for i := range keys {
		counts[p.Partition(fmt.Append(nil, "key", i))]++
	}
	for i, n := range counts {
		if n < keys/partitions*8/10 || n > keys/partitions*12/10 {
			t.Errorf("partition %d has %d of %d keys", i, n, keys)
		}
	}
}

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

// TestLargeIndexTakesTwoReads has more partitions than the first read of ReadIndex covers.
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

// An index finds in a manifest what all of it says, and refuses what parseManifest does.
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

func TestLargeIndexTakesTwoReads(t *testing.T) {
	const partitions = 100_000
	file, want, _ := collect(t, CollectorConfig{
		Identity: testIdentity, Partitioner: Partitioner{Partitions: partitions}, Memory: 64 << 20,
		Note: func(s CollectStats) ([]byte, error) { return fmt.Appendf(nil, "%d records", s.RecordsOut), nil },
	}, []kv{{"a", "1"}, {"b", "2"}})
	reads := 0
	o := object("f", file)
	o.Open = func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		reads++
		return openBytes(file)(ctx, offset, length)
	}
	x, err := ReadIndex(t.Context(), o)
	id, m := x.Identity, x.Manifest
	if err != nil || id != testIdentity || !reflect.DeepEqual(m, want) {
		t.Errorf("manifest differs (%v)", err)
	}
	if string(x.Note) != "2 records" {
		t.Errorf("note is %q", x.Note)
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

// The reserved values of a file are refused: they are for other formats than this one.
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
