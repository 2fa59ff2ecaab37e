package shuffle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
)

func TestAddCountEqualsEmit(t *testing.T) {
	for _, op := range []record.Op{record.Sum, record.Min, record.Max} {
		for _, memory := range []int64{MinMemory, 64 << 20} {
			t.Run(fmt.Sprint(op, memory), func(t *testing.T) {
				cfg := CollectorConfig{
					Identity: testIdentity, Partitioner: Partitioner{Partitions: 3},
					Combine: Combine{Columns: record.Columns{op}}, Memory: memory, Scratch: filepath.Join(t.TempDir(), "s"),
				}
				c, err := NewCollector(cfg)
				if err != nil {
					t.Fatal(err)
				}
				var records []kv
				var together [][]byte
				text := strings.Repeat("an apple and a pomegranate-and-more are fruits; ", 400)
				for i, word := range strings.Fields(text) {
					word = strings.Repeat(word, 1+i%7) + fmt.Sprint(i%500)
					n := int64(i / 150)
					records = append(records, kv{word, string(record.AppendInts(nil, n))})
					switch i % 5 { // all ways may be mixed
					case 0:
						c.Emitter().Emit([]byte(word), record.AppendInts(nil, n))
					case 1:
						c.AddCount([]byte(word), n)
					default:
						together = append(together, []byte(word))
					}
					if i%150 == 149 {
						c.AddCounts(together, n)
						together = together[:0]
					}
				}
				c.AddCounts(together, int64(len(records)/150))
				want, wantManifest, _ := collect(t, cfg, records)
				var got bytes.Buffer
				m, err := c.Finish(t.Context(), &got)
				if err != nil {
					t.Fatal(err)
				}
				if n := c.Stats().RecordsIn; n != int64(len(records)) {
					t.Errorf("RecordsIn = %d, want %d", n, len(records))
				}
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				if memory > MinMemory && !bytes.Equal(got.Bytes(), want) {
					t.Error("files differ")
				}
				for p := range m.Segments {
					got, _ := mergeAll(t, MergeConfig{Memory: 1 << 20}, []segfile.Source{source("a", testIdentity, got.Bytes(), m, p)})
					want, _ := mergeAll(t, MergeConfig{Memory: 1 << 20}, []segfile.Source{source("b", testIdentity, want, wantManifest, p)})
					if !slices.Equal(got, want) {
						t.Errorf("partition %d differs", p)
					}
				}
				checkEmpty(t, cfg.Scratch)
			})
		}
	}
}

func TestAddCountNeedsOneColumn(t *testing.T) {
	c, err := NewCollector(CollectorConfig{Partitioner: Partitioner{Partitions: 1}, Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.AddCount([]byte("a"), 1)
	c.AddCounts([][]byte{[]byte("a")}, 1)
	if _, err := c.Finish(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "exactly one column") {
		t.Errorf("got %v", err)
	}
}

func TestRecordTooLarge(t *testing.T) {
	const memory = 1 << 20
	for _, kind := range combineKinds()[:3] {
		for _, size := range []int{memory/RecordShare - 20, memory / RecordShare, 2 * memory} {
			c, err := NewCollector(CollectorConfig{
				Partitioner: Partitioner{Partitions: 1}, Combine: kind.combine, Memory: memory, Scratch: filepath.Join(t.TempDir(), "s"),
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				key := bytes.Repeat([]byte{'k'}, size)
				key[0] = byte(i)
				c.Emitter().Emit(key, record.AppendInts(nil, 1))
			}
			_, err = c.Finish(t.Context(), io.Discard)
			var tooLarge *RecordTooLargeError
			switch fits := size < memory/RecordShare-10; {
			case fits && err != nil:
				t.Errorf("%s: key of %d bytes: %v", kind.name, size, err)
			case !fits && (!errors.As(err, &tooLarge) || tooLarge.Memory != memory || tooLarge.Size < int64(size)):
				t.Errorf("%s: key of %d bytes: got %v, want a RecordTooLargeError", kind.name, size, err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestMegabyteKeys(t *testing.T) {
	var records []kv
	for i := range 20 {
		key := strings.Repeat("same ", 200_000) + fmt.Sprint(i*7%20)
		records = append(records, kv{key, fmt.Sprint(i)}, kv{key, "again"})
	}
	for _, memory := range []int64{12 << 20, 256 << 20} {
		cfg := CollectorConfig{
			Identity: testIdentity, Partitioner: Partitioner{Partitions: 1}, Memory: memory, Scratch: filepath.Join(t.TempDir(), "s"),
		}
		file, m, _ := collect(t, cfg, records)
		got, _ := mergeAll(t, MergeConfig{Memory: memory}, []segfile.Source{source("f", testIdentity, file, m, 0)})
		if !slices.Equal(got, oracle([][]kv{records}, &cfg.Partitioner, 0, Combine{}, false)) {
			t.Errorf("memory %d: records differ", memory)
		}
	}
}

func TestBadColumnsValue(t *testing.T) {
	for name, value := range map[string]string{"empty": "", "two": "\x02\x02", "cut": "\x80"} {
		c, err := NewCollector(CollectorConfig{
			Partitioner: Partitioner{Partitions: 1}, Combine: Combine{Columns: record.Columns{record.Sum}}, Memory: 1 << 20,
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Emitter().Emit([]byte("the key"), []byte(value))
		_, err = c.Finish(t.Context(), io.Discard)
		if !errors.Is(err, record.ErrCorrupt) || !strings.Contains(err.Error(), `"the key"`) {
			t.Errorf("%s: got %v", name, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// failingWriter fails after left bytes are written.
type failingWriter struct{ left int }

var errDiskFull = errors.New("disk full")

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, errDiskFull
	}
	return len(b), nil
}

func TestWriteErrorsArePassedOn(t *testing.T) {
	for _, left := range []int{0, 100_000} {
		c, err := NewCollector(CollectorConfig{Partitioner: Partitioner{Partitions: 2}, Memory: 1 << 20, Scratch: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(14, 15))
		for i := range 20_000 {
			c.Emitter().Emit(fmt.Append(nil, i), []byte(randomBytes(r, 28, 256)))
		}
		if _, err := c.Finish(t.Context(), &failingWriter{left: left}); !errors.Is(err, errDiskFull) {
			t.Errorf("after %d bytes: got %v, want %v", left, err, errDiskFull)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestScratchErrorsArePassedOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := NewCollector(CollectorConfig{Partitioner: Partitioner{Partitions: 2}, Memory: MinMemory, Scratch: filepath.Join(file, "scratch")})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20_000 {
		c.Emitter().Emit(fmt.Append(nil, i), nil)
	}
	if err := c.Emitter().Err(); err == nil {
		t.Error("the emitter does not tell that spilling failed")
	}
	var pathError *os.PathError
	if _, err := c.Finish(t.Context(), io.Discard); !errors.As(err, &pathError) || !strings.Contains(err.Error(), "spill") {
		t.Errorf("got %v, want the file system's error", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestHalfWrittenRunIsRemoved(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "scratch")
	_, err := createRun(folder, segfile.Layout{Partitions: 1, BlockSize: 1 << 10, Buffer: 1 << 10}, func(w *segfile.Writer) error {
		w.Begin(0)
		for range 100 {
			if err := w.Add(record.Append(nil, nil, make([]byte, 1000)), 1); err != nil {
				return err
			}
		}
		return errDiskFull
	})
	if !errors.Is(err, errDiskFull) {
		t.Errorf("got %v, want %v", err, errDiskFull)
	}
	checkEmpty(t, folder)
}

func TestCloseRemovesSpills(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "scratch")
	c, err := NewCollector(CollectorConfig{Partitioner: Partitioner{Partitions: 2}, Memory: MinMemory, Scratch: folder})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20_000 {
		c.Emitter().Emit(fmt.Append(nil, i), nil)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) == 0 || int64(len(entries)) != c.Stats().Spills {
		t.Errorf("%d spilled files, Stats has %d (%v)", len(entries), c.Stats().Spills, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Finish(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("Finish after cancel: %v", err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	checkEmpty(t, folder)
}

func TestConfigIsChecked(t *testing.T) {
	good := CollectorConfig{Partitioner: Partitioner{Partitions: 2}, Memory: 1 << 20}
	tests := map[string]func(*CollectorConfig){
		"want 1 to":              func(c *CollectorConfig) { c.Partitioner.Partitions = 0 },
		"want fewer":             func(c *CollectorConfig) { c.Partitioner.Boundaries = [][]byte{{1}, {2}} },
		"less than the previous": func(c *CollectorConfig) { c.Partitioner = Partitioner{Partitions: 3, Boundaries: [][]byte{{2}, {1}}} },
		"spread over partitions 1 to 3": func(c *CollectorConfig) {
			c.Partitioner = Partitioner{Partitions: 3, Boundaries: [][]byte{{2}, {2}}, Spread: []Span{{1, 3}}}
		},
		"boundaries are elsewhere": func(c *CollectorConfig) {
			c.Partitioner = Partitioner{Partitions: 4, Boundaries: [][]byte{{1}, {2}, {2}}, Spread: []Span{{0, 3}}}
		},
		"cannot be combined or sorted": func(c *CollectorConfig) {
			c.Partitioner = Partitioner{Partitions: 2, Boundaries: [][]byte{{2}}, Spread: []Span{{0, 1}}}
			c.SortValues = true
		},
		"want at least":  func(c *CollectorConfig) { c.Memory = MinMemory - 1 },
		"block size":     func(c *CollectorConfig) { c.BlockSize = -1 },
		"too small for":  func(c *CollectorConfig) { c.Partitioner.Partitions = 100_000 },
		"31-bit":         func(c *CollectorConfig) { c.Identity.Task = -1 },
		"job name":       func(c *CollectorConfig) { c.Identity.Job = strings.Repeat("j", 2000) },
		"only one way":   func(c *CollectorConfig) { c.Combine = Combine{Dedup: true, Columns: record.Columns{record.Sum}} },
		"unknown column": func(c *CollectorConfig) { c.Combine.Columns = record.Columns{9} },
	}
	for want, change := range tests {
		cfg := good
		change(&cfg)
		if _, err := NewCollector(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
