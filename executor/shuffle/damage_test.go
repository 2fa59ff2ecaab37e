package shuffle

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
)

// smallFile has three partitions, the second of them empty, of several blocks each.
func smallFile(t testing.TB) (file []byte, m segfile.Manifest, records []kv) {
	for i := range 30 {
		key := fmt.Sprintf("a%02d", i%20)
		if i%3 == 0 {
			key = fmt.Sprintf("z%02d", i%11)
		}
		records = append(records, kv{key, "vv" + fmt.Sprint(i)})
	}
	file, m, _ = collect(t, CollectorConfig{
		Identity:    testIdentity,
		Partitioner: Partitioner{Partitions: 3, Boundaries: [][]byte{[]byte("m"), []byte("n")}},
		Memory:      1 << 20, BlockSize: 64,
	}, records)
	return file, m, records
}

func mergeFile(ctx context.Context, name string, open segfile.OpenFunc, m segfile.Manifest, p int) ([]kv, error) {
	merge, err := NewMerge(ctx, MergeConfig{Memory: 1 << 20}, []segfile.Source{
		{Name: name, Identity: testIdentity, Partition: p, Segment: m.Segments[p], Open: open},
	})
	if err != nil {
		return nil, err
	}
	all, err := drain(merge.Next)
	return all, errors.Join(err, merge.Close())
}

func checkCorrupt(t *testing.T, what string, err error) {
	t.Helper()
	var corrupt *segfile.CorruptError
	if !errors.Is(err, segfile.ErrCorrupt) || !errors.As(err, &corrupt) {
		t.Fatalf("%s: got error %v, want a CorruptError", what, err)
	}
	if corrupt.Object != "damaged" || corrupt.Reason == "" {
		t.Fatalf("%s: error does not name the object and the reason: %#v", what, corrupt)
	}
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	file, m, _ := smallFile(t)
	whole := make([][]kv, len(m.Segments))
	for p := range whole {
		var err error
		if whole[p], err = mergeFile(t.Context(), "sound", openBytes(file), m, p); err != nil {
			t.Fatal(err)
		}
	}
	for bit := range len(file) * 8 {
		damaged := slices.Clone(file)
		damaged[bit/8] ^= 1 << (bit % 8)
		what := fmt.Sprintf("bit %d of byte %d", bit%8, bit/8)
		_, err := segfile.Verify(t.Context(), object("damaged", damaged))
		checkCorrupt(t, "Verify, "+what, err)

		if m.Segments[2].Offset+m.Segments[2].Length <= int64(bit/8) {
			_, err := segfile.ReadIndex(t.Context(), object("damaged", damaged))
			checkCorrupt(t, "ReadIndex, "+what, err)
		}
		for p, s := range m.Segments {
			got, err := mergeFile(t.Context(), "damaged", openBytes(damaged), m, p)
			if at := int64(bit / 8); s.Offset <= at && at < s.Offset+s.Length {
				checkCorrupt(t, "merge, "+what, err)
				var corrupt *segfile.CorruptError
				if errors.As(err, &corrupt); corrupt.Partition != p || corrupt.Offset > at {
					t.Fatalf("%s: error names partition %d, offset %d", what, corrupt.Partition, corrupt.Offset)
				}
			} else if err != nil || !slices.Equal(got, whole[p]) {
				t.Fatalf("%s disturbs partition %d: %v", what, p, err)
			}
		}
	}
}

func TestTruncationIsNoticed(t *testing.T) {
	file, m, _ := smallFile(t)
	for n := range file {
		cut := file[:n]
		_, err := segfile.Verify(t.Context(), object("damaged", cut))
		checkCorrupt(t, fmt.Sprintf("Verify, cut to %d", n), err)
		_, err = segfile.ReadIndex(t.Context(), object("damaged", cut))
		checkCorrupt(t, fmt.Sprintf("ReadIndex, cut to %d", n), err)
		// A store may still list the old size.
		o := object("damaged", cut)
		o.Size = int64(len(file))
		_, err = segfile.Verify(t.Context(), o)
		checkCorrupt(t, fmt.Sprintf("Verify at full size, cut to %d", n), err)
		for p, s := range m.Segments {
			_, err := mergeFile(t.Context(), "damaged", openBytes(cut), m, p)
			if s.Offset+s.Length > int64(n) && s.Length > 0 {
				checkCorrupt(t, fmt.Sprintf("merge, cut to %d", n), err)
			} else if err != nil {
				t.Fatalf("cut to %d disturbs partition %d: %v", n, p, err)
			}
		}
	}
	_, err := segfile.Verify(t.Context(), object("damaged", append(slices.Clone(file), 0)))
	checkCorrupt(t, "a byte more", err)
}

// TestMisplacedSegmentIsNoticed covers undamaged bytes that are not the requested ones.
func TestMisplacedSegmentIsNoticed(t *testing.T) {
	file, m, _ := smallFile(t)
	good := m.Segments[0]
	tests := map[string]struct {
		source func(*segfile.Source)
		reason string
	}{
		"another attempt":   {func(s *segfile.Source) { s.Identity.Attempt++ }, "block is of another attempt's file"},
		"another job":       {func(s *segfile.Source) { s.Identity.Job += "x" }, "block is of another attempt's file"},
		"another partition": {func(s *segfile.Source) { s.Partition = 1 }, "block is of partition 0"},
		"the next segment":  {func(s *segfile.Source) { s.Segment = m.Segments[2] }, "block is of partition 2"},
		"fewer records": {
			func(s *segfile.Source) { s.Segment.Records-- },
			fmt.Sprintf("segment has %d records, the manifest says %d", good.Records, good.Records-1),
		},
		"more raw bytes": {
			func(s *segfile.Source) { s.Segment.RawBytes++ },
			fmt.Sprintf("segment has %d raw bytes, the manifest says %d", good.RawBytes, good.RawBytes+1),
		},
		"smaller blocks": {func(s *segfile.Source) { s.Segment.MaxBlock = 5 }, "raw bytes, the manifest says at most 5"},
		"longer":         {func(s *segfile.Source) { s.Segment.Length += 10 }, "10 bytes after the last block"},
		"cut in a block": {func(s *segfile.Source) { s.Segment.Length-- }, "block continues after the segment's end"},
		"last block missing": {
			func(s *segfile.Source) { s.Segment.Length = firstBlockLen(t, file, good) }, "segment ends without its last block",
		},
		"first block missing": {func(s *segfile.Source) {
			n := firstBlockLen(t, file, good)
			s.Segment.Offset += n
			s.Segment.Length -= n
		}, "block is number 1 of its segment"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := source("damaged", testIdentity, file, m, 0)
			test.source(&s)
			merge, err := NewMerge(t.Context(), MergeConfig{Memory: 1 << 20}, []segfile.Source{s})
			if err != nil {
				t.Fatal(err)
			}
			_, err = drain(merge.Next)
			checkCorrupt(t, name, err)
			if !bytes.Contains([]byte(err.Error()), []byte(test.reason)) {
				t.Errorf("got %q, want reason %q", err, test.reason)
			}
			if _, again := merge.Next(); !errors.Is(again, err) {
				t.Errorf("error does not stay: %v", again)
			}
			if err := merge.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func firstBlockLen(t *testing.T, file []byte, s segfile.Segment) int64 {
	t.Helper()
	const headerLen, payloadLenAt = 36, 28 // see FORMAT.md
	return headerLen + int64(binary.LittleEndian.Uint32(file[s.Offset+payloadLenAt:]))
}

// damagedReads is how often bytes are read that stay damaged.
const damagedReads = 3

// wire is a file behind a connection that damages one of its bytes, or ends at it, in the first
// bodies that contain the byte.
type wire struct {
	file   []byte
	at     int64
	bodies int
	cut    bool
	hits   int // bodies with that byte
}

func (w *wire) open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	if w.at < offset || w.at >= offset+length {
		return openBytes(w.file)(ctx, offset, length)
	}
	w.hits++
	switch {
	case w.hits > w.bodies:
		return openBytes(w.file)(ctx, offset, length)
	case w.cut:
		return openBytes(w.file[:w.at])(ctx, offset, length)
	}
	damaged := slices.Clone(w.file)
	damaged[w.at] ^= 0x10
	return openBytes(damaged)(ctx, offset, length)
}

// eachDamage calls test with damage to every byte: in one body, in two, and in all.
func eachDamage(t *testing.T, file []byte, from, to int64, test func(t *testing.T, w *wire, always bool)) {
	for _, cut := range []bool{false, true} {
		for bodies := 1; bodies <= damagedReads; bodies++ {
			for at := from; at < to; at++ {
				w := &wire{file: file, at: at, bodies: bodies, cut: cut}
				always := bodies == damagedReads
				test(t, w, always)
				if want := min(bodies+1, damagedReads); w.hits != want {
					t.Fatalf("byte %d, damaged in %d bodies (cut: %v), was read %d times, not %d", at, bodies, cut, w.hits, want)
				}
			}
		}
	}
}

// checkReads checks that an error reports how often the bytes were read.
func checkReads(t *testing.T, err error) {
	t.Helper()
	checkCorrupt(t, "damage in every body", err)
	if want := fmt.Sprintf("(read %d times)", damagedReads); !strings.Contains(err.Error(), want) {
		t.Fatalf("%q is not in: %v", want, err)
	}
}

func TestDamageOnTheWireIsReadAgain(t *testing.T) {
	file, m, _ := smallFile(t)
	want, err := mergeFile(t.Context(), "sound", openBytes(file), m, 0)
	if err != nil {
		t.Fatal(err)
	}
	segment := m.Segments[0]
	eachDamage(t, file, segment.Offset, segment.Offset+segment.Length, func(t *testing.T, w *wire, always bool) {
		got, err := mergeFile(t.Context(), "damaged", w.open, m, 0)
		if always {
			checkReads(t, err)
		} else if err != nil || !slices.Equal(got, want) {
			t.Fatalf("byte %d: %v", w.at, err)
		}
	})
}

func TestDamageOfTheIndexOnTheWireIsReadAgain(t *testing.T) {
	file, m, _ := smallFile(t)
	last := m.Segments[len(m.Segments)-1]
	eachDamage(t, file, last.Offset+last.Length, int64(len(file)), func(t *testing.T, w *wire, always bool) {
		index, err := segfile.ReadIndex(t.Context(), segfile.Object{Name: "damaged", Size: int64(len(file)), Open: w.open})
		got := index.Manifest
		if always {
			checkReads(t, err)
		} else if err != nil || !slices.Equal(got.Segments, m.Segments) {
			t.Fatalf("byte %d: %v", w.at, err)
		}
	})
}

func TestVerifyNoticesDisorder(t *testing.T) {
	for name, records := range map[string][]kv{
		"keys":   {{"a", ""}, {"c", ""}, {"b", ""}},
		"values": {{"a", "2"}, {"a", "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			var raw []byte
			for _, r := range records {
				raw = record.Append(raw, []byte(r.key), []byte(r.value))
			}
			file := rawFile(t, raw, len(records))
			_, err := segfile.Verify(t.Context(), object("damaged", file))
			checkCorrupt(t, name, err)
		})
	}
	for name, n := range map[string]int{"too few records": 1, "too many records": 3} {
		t.Run(name, func(t *testing.T) {
			raw := record.Append(record.Append(nil, []byte("a"), []byte("value")), []byte("b"), nil)
			file := rawFile(t, raw, n)
			_, err := segfile.Verify(t.Context(), object("damaged", file))
			checkCorrupt(t, name, err)
			x, err := segfile.ReadIndex(t.Context(), object("damaged", file))
			m := x.Manifest
			if err != nil {
				t.Fatal(err)
			}
			s := source("damaged", testIdentity, file, m, 0)
			merge, err := NewMerge(t.Context(), MergeConfig{Memory: 1 << 20}, []segfile.Source{s, s})
			if err != nil {
				t.Fatal(err)
			}
			_, err = drain(merge.Next)
			checkCorrupt(t, name, err)
			if err := merge.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// rawFile returns a file of one block whose header says that it has n records with sorted values.
func rawFile(t *testing.T, raw []byte, n int) []byte {
	t.Helper()
	var file bytes.Buffer
	f := segfile.NewWriter(&file, segfile.Layout{
		Identity: testIdentity, Partitions: 1, BlockSize: 1 << 10, Buffer: 1 << 10, SortedValues: true,
	})
	f.Begin(0)
	if err := f.Add(raw, n); err != nil {
		t.Fatal(err)
	}
	f.End()
	if _, err := f.Finish(nil); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}
