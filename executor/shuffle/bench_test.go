package shuffle

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/internal/tally"
)

// zipfWords returns n words of text-like frequencies and lengths, of 200,000 distinct ones.
func zipfWords(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	distinct := make([][]byte, 200_000)
	for i := range distinct {
		w := fmt.Appendf(nil, "%x", i)
		for range r.IntN(8) {
			w = append(w, byte('a'+r.IntN(26)))
		}
		distinct[i] = w
	}
	zipf := rand.NewZipf(r, 1.1, 10, uint64(len(distinct)-1))
	var text []byte // words lie in the order of use, as a mapper meets them
	ends := make([]int, n)
	for i := range ends {
		text = append(append(text, distinct[zipf.Uint64()]...), ' ')
		ends[i] = len(text) - 1
	}
	words := make([][]byte, n)
	start := 0
	for i, end := range ends {
		words[i] = text[start:end]
		start = end + 1
	}
	return words
}

func reportPerRecord(b *testing.B, records int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(records), "ns/record")
}

func wordCollector(b *testing.B) *Collector {
	c, err := NewCollector(CollectorConfig{
		Identity: testIdentity, Partitioner: Partitioner{Partitions: 8},
		Combine: Combine{Columns: record.Columns{record.Sum}}, Memory: 256 << 20, Scratch: b.TempDir(),
	})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

const benchWords = 4 << 20

// BenchmarkTableInsert measures the table alone, on blocks that an emitter has filled.
func BenchmarkTableInsert(b *testing.B) {
	var blocks [][]byte
	e := record.NewEmitter(maxArenaBlock, func(block []byte) ([]byte, error) {
		blocks = append(blocks, block)
		return make([]byte, 0, maxArenaBlock), nil
	})
	one := record.AppendInts(nil, 1)
	for _, w := range zipfWords(benchWords) {
		e.Emit(w, one)
	}
	if err := e.Flush(); err != nil {
		b.Fatal(err)
	}
	t := tally.New(record.Columns{record.Sum}, 256<<20, entrySize)
	for b.Loop() {
		for _, block := range blocks {
			if n, err := t.Insert(block); n != len(block) || err != nil {
				b.Fatal(n, err)
			}
		}
	}
	reportPerRecord(b, benchWords)
}

func BenchmarkCollectWordsEmit(b *testing.B) {
	words := zipfWords(benchWords)
	one := record.AppendInts(nil, 1)
	c := wordCollector(b)
	defer c.Close()
	e := c.Emitter()
	for b.Loop() {
		for _, w := range words {
			e.Emit(w, one)
		}
	}
	reportPerRecord(b, benchWords)
}

func BenchmarkCollectWordsAddCount(b *testing.B) {
	words := zipfWords(benchWords)
	c := wordCollector(b)
	defer c.Close()
	for b.Loop() {
		for _, w := range words {
			c.AddCount(w, 1)
		}
	}
	reportPerRecord(b, benchWords)
}

func BenchmarkCollectWordsAddCounts(b *testing.B) {
	words := zipfWords(benchWords)
	c := wordCollector(b)
	defer c.Close()
	for b.Loop() {
		c.AddCounts(words, 1)
	}
	reportPerRecord(b, benchWords)
}

// sortRecords returns n records of 100 bytes with keys of 10 bytes, like those of the sort
// benchmarks.
func sortRecords(n int) []byte {
	r := rand.NewChaCha8([32]byte{7})
	text := make([]byte, 100*n)
	for i := 0; i < len(text); i += 100 {
		_, _ = r.Read(text[i : i+10])
		copy(text[i+10:i+100], "0123456789ABCDEF the rest of the record is text that compresses well enough, as gensort's")
	}
	return text
}

func BenchmarkCollectSort(b *testing.B) {
	const n = 1 << 20
	text := sortRecords(n)
	b.SetBytes(100 * n)
	for b.Loop() {
		c, err := NewCollector(CollectorConfig{
			Identity: testIdentity, Partitioner: Partitioner{Partitions: 8}, Memory: 512 << 20, Scratch: b.TempDir(),
		})
		if err != nil {
			b.Fatal(err)
		}
		e := c.Emitter()
		for i := 0; i < len(text); i += 100 {
			e.Emit(text[i:i+10], text[i+10:i+100])
		}
		if _, err := c.Finish(context.Background(), io.Discard); err != nil {
			b.Fatal(err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
	reportPerRecord(b, n)
}

// BenchmarkSortIndex measures sorting the index alone.
func BenchmarkSortIndex(b *testing.B) {
	const n = 1 << 20
	text := sortRecords(n)
	words := zipfWords(n)
	kinds := map[string]func(i int) []byte{
		"random": func(i int) []byte { return text[100*i : 100*i+10] },
		"words":  func(i int) []byte { return words[i] },
		"urls":   func(i int) []byte { return append([]byte("https://www.example.com/"), words[i]...) },
	}
	for name, key := range kinds {
		b.Run(name, func(b *testing.B) {
			r := newRouter(Partitioner{Partitions: 8}, 0)
			a := newArena(&r)
			e := record.NewEmitter(maxArenaBlock, func(block []byte) ([]byte, error) {
				return make([]byte, 0, maxArenaBlock), a.add(block, countRecords(block))
			})
			for i := range n {
				e.Emit(key(i), []byte("value"))
			}
			if err := e.Flush(); err != nil {
				b.Fatal(err)
			}
			unsorted := append([]entry(nil), a.index...)
			for b.Loop() {
				b.StopTimer()
				copy(a.index, unsorted)
				b.StartTimer()
				a.sort(false)
			}
			reportPerRecord(b, n)
		})
	}
}

// BenchmarkBlockSize shows what the size of blocks costs in time and bytes.
func BenchmarkBlockSize(b *testing.B) {
	words := zipfWords(1 << 20)
	for _, size := range []int{16 << 10, 64 << 10, 128 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			var raw []byte
			for i := 0; i+3 < len(words) && len(raw) < size; i += 3 {
				raw = record.Append(raw, words[i], words[i+1])
			}
			b.SetBytes(int64(len(raw)))
			w := segfile.NewWriter(io.Discard, segfile.Layout{Partitions: 1, BlockSize: size, Buffer: size})
			w.Begin(0)
			for b.Loop() {
				if err := w.Add(raw, countRecords(raw)); err != nil {
					b.Fatal(err)
				}
			}
			w.End()
			written := w.Segments()[0]
			b.ReportMetric(float64(written.Length)/float64(written.RawBytes), "ratio")
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	const perSource = 1 << 15
	for _, k := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(k), func(b *testing.B) {
			var sources []segfile.Source
			text := sortRecords(k * perSource)
			for i := range k {
				c, err := NewCollector(CollectorConfig{Identity: testIdentity, Partitioner: Partitioner{Partitions: 1}, Memory: 64 << 20})
				if err != nil {
					b.Fatal(err)
				}
				mine := text[i*100*perSource:][:100*perSource]
				for at := 0; at < len(mine); at += 100 {
					c.Emitter().Emit(mine[at:at+10], mine[at+10:at+100])
				}
				var file bytes.Buffer
				m, err := c.Finish(context.Background(), &file)
				if err != nil {
					b.Fatal(err)
				}
				if err := c.Close(); err != nil {
					b.Fatal(err)
				}
				sources = append(sources, source("f", testIdentity, file.Bytes(), m, 0))
			}
			b.SetBytes(int64(k) * perSource * 100)
			for b.Loop() {
				m, err := NewMerge(context.Background(), MergeConfig{Memory: 64 << 20, Scratch: b.TempDir()}, sources)
				if err != nil {
					b.Fatal(err)
				}
				for {
					if _, err := m.Next(); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
				if err := m.Close(); err != nil {
					b.Fatal(err)
				}
			}
			reportPerRecord(b, k*perSource)
		})
	}
}

// BenchmarkRoute measures finding the partitions of keys alone.
func BenchmarkRoute(b *testing.B) {
	const n = 1 << 16
	text := sortRecords(n)
	words := zipfWords(n)
	for name, key := range map[string]func(i int) []byte{
		"random": func(i int) []byte { return text[100*i : 100*i+10] },
		"words":  func(i int) []byte { return words[i] },
	} {
		keys := make([][]byte, n)
		var sample KeySample
		for i := range keys {
			keys[i] = key(i)
			sample.Add(keys[i], 1)
		}
		for _, partitions := range []int{4, 64, 1000} {
			for kind, p := range map[string]Partitioner{
				"hash": {Partitions: partitions}, "range": sample.Partitioner(partitions, false), "spread": sample.Partitioner(partitions, true),
			} {
				b.Run(fmt.Sprintf("%s/%d/%s", name, partitions, kind), func(b *testing.B) {
					routes := newRouter(p, 0)
					sum := 0
					for b.Loop() {
						for _, k := range keys {
							sum += routes.route(k, keyPrefix(k))
						}
					}
					reportPerRecord(b, n)
				})
			}
		}
	}
}
