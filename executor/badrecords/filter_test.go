package badrecords

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/internal/record"
)

// batches makes batches of all framings, of random lengths, and the records in them.
func batches(rng *rand.Rand, n int) (all []*record.Batch, records []string) {
	for len(records) < n {
		b := &record.Batch{Input: "file:///in", Offset: rng.Int64N(1000), Framing: record.Framing(1 + rng.IntN(5)), RecordLen: 3}
		for range 1 + rng.IntN(9) {
			word := strings.Repeat(string(rune('a'+len(records)%26)), 3)
			switch b.Framing {
			case record.Lines:
				b.Data = append(append(b.Data, word...), [2]string{"\n", "\r\n"}[rng.IntN(2)]...)
			case record.Encoded:
				key := []byte{0, 0, 0, 0, 0, 0, 1, byte(len(b.Data))}
				b.Data = record.Append(b.Data, key, []byte(word))
			case record.Keyed:
				b.Data = record.AppendKeyed(b.Data, int64(256+len(b.Data)), []byte(word), []byte(word))
			default:
				b.Data = append(b.Data, word...)
			}
			records = append(records, word)
			if b.Framing == record.Whole {
				break
			}
		}
		if b.Framing == record.Lines && rng.IntN(2) == 0 {
			b.Data = bytes.TrimRight(b.Data, "\r\n")
		}
		all = append(all, b)
	}
	return all, records
}

func TestRecordFilter(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 2))
		all, records := batches(rng, 1+rng.IntN(60))
		total := int64(len(records))
		from := rng.Int64N(total)
		until := from + 1 + rng.Int64N(total+5-from)
		omit := subset(rng, total)
		var want, got []string
		for i := from; i < min(until, total); i++ {
			if !slices.Contains(omit, i) {
				want = append(want, records[i])
			}
		}
		offsets := map[*record.Batch][]int64{}
		for _, b := range all {
			for offset := range b.Records() {
				offsets[b] = append(offsets[b], offset)
			}
		}
		var current *record.Batch
		filter := &RecordFilter{From: from, Until: until, Omit: omit, Pass: func(b *record.Batch) error {
			n := 0
			for offset, record := range b.Records() {
				got = append(got, string(record))
				if n++; !slices.Contains(offsets[current], offset) || (n == 1 && offset != b.Offset) {
					t.Errorf("seed %d: record %q at %d of a batch at %d", seed, record, offset, b.Offset)
				}
			}
			return nil
		}}
		var err error
		for _, current = range all {
			if err = filter.Filter(current); err != nil {
				break
			}
		}
		if !slices.Equal(got, want) || errors.Is(err, ErrEnough) != (until <= total) {
			t.Fatalf("seed %d, %d to %d of %d without %v: got %q, want %q, %v", seed, from, until, total, omit, got, want, err)
		}
	}
}

func TestGroupFilter(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 3))
		total := 1 + rng.Int64N(60)
		var blocks [][]byte
		var block []byte
		groups := make([]string, total)
		for i := range total {
			key := string(rune('A' + i))
			for range 1 + rng.IntN(4) {
				value := string(rune('a' + rng.IntN(26)))
				groups[i] += key + value
				block = record.Append(block, []byte(key), []byte(value))
				if rng.IntN(3) == 0 {
					blocks, block = append(blocks, block), nil
				}
			}
		}
		blocks = append(blocks, block)
		from := rng.Int64N(total)
		until := from + rng.Int64N(total+5-from)
		omit := subset(rng, total)
		var want strings.Builder
		for i := from; i < min(until, total); i++ {
			if !slices.Contains(omit, i) {
				want.WriteString(groups[i])
			}
		}
		filter := &GroupFilter{From: from, Until: until, Omit: omit, Source: func() ([]byte, error) {
			if len(blocks) == 0 {
				return nil, io.EOF
			}
			block := blocks[0]
			blocks = blocks[1:]
			return block, nil
		}}
		var got strings.Builder
		for {
			block, err := filter.Next()
			if err == io.EOF {
				break
			}
			if err != nil || len(block) == 0 {
				t.Fatalf("seed %d: a block of %d bytes, %v", seed, len(block), err)
			}
			for len(block) > 0 {
				key, value, n, err := record.Read(block)
				if err != nil {
					t.Fatal(err)
				}
				got.Write(append(key, value...))
				block = block[n:]
			}
		}
		if got.String() != want.String() {
			t.Fatalf("seed %d, %d to %d of %d without %v: got %s, want %s", seed, from, until, total, omit, got.String(), want.String())
		}
	}
}
