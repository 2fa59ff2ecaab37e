// Package programtest runs programs in tests as an executor does, and keeps what they emit.
package programtest

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

// KV is a copy of an emitted record: its key and its value.
type KV [2]string

// Key returns the key.
func (r KV) Key() string { return r[0] }

// Value returns the value.
func (r KV) Value() string { return r[1] }

// Collect returns an Emitter with small blocks, and the records that it gets.
func Collect() (*record.Emitter, *[]KV) {
	var records []KV
	out := record.NewEmitter(64, func(block []byte) ([]byte, error) {
		for len(block) > 0 {
			k, v, n, err := record.Read(block)
			if err != nil {
				return nil, err
			}
			records = append(records, KV{string(k), string(v)})
			block = block[n:]
		}
		return nil, nil
	})
	return out, &records
}

// Blocks returns records in the form that a reducer gets, in blocks of each records.
func Blocks(records []KV, each int) func() ([]byte, error) {
	return func() ([]byte, error) {
		if len(records) == 0 {
			return nil, io.EOF
		}
		var block []byte
		n := min(each, len(records))
		for _, r := range records[:n] {
			block = record.Append(block, []byte(r.Key()), []byte(r.Value()))
		}
		records = records[n:]
		return block, nil
	}
}

// Lines cuts text into batches of whole lines, of about size bytes.
func Lines(input, text string, size int) []record.Batch {
	var batches []record.Batch
	for at := 0; at < len(text); {
		end := len(text)
		if at+size < len(text) {
			if i := strings.IndexByte(text[at+size:], '\n'); i >= 0 {
				end = at + size + i + 1
			}
		}
		batches = append(batches, record.Batch{
			Input: input, Offset: int64(at), Framing: record.Lines, Data: []byte(text[at:end]),
		})
		at = end
	}
	return batches
}

// Attempt returns an attempt at a map task with a scratch folder.
func Attempt(t testing.TB) program.Attempt {
	return program.Attempt{Job: "job", Side: "map", Scratch: t.TempDir(), Format: "text", Lines: true, Reducers: 1}
}

// MapAll runs a map attempt and returns the records that it emits, in order.
func MapAll(t testing.TB, p program.Program, a program.Attempt, batches []record.Batch) ([]KV, error) {
	t.Helper()
	m, err := p.NewMapper(t.Context(), a)
	if err != nil {
		return nil, err
	}
	defer m.Kill()
	out, records := Collect()
	for _, b := range batches {
		data := bytes.Clone(b.Data)
		b.Data = data
		if err := m.Map(&b, out); err != nil {
			return nil, err
		}
		clear(data) // the mapper must not use it any longer
	}
	if err := m.Close(out); err != nil {
		return nil, err
	}
	err = out.Flush()
	return *records, err
}

// ReduceAll sorts records, runs a reduce attempt over them, and returns its output.
func ReduceAll(t testing.TB, p program.Program, a program.Attempt, records []KV, each int) ([]KV, error) {
	t.Helper()
	slices.SortStableFunc(records, func(a, b KV) int { return cmp.Compare(a.Key(), b.Key()) })
	r, err := p.NewReducer(t.Context(), a)
	if err != nil {
		return nil, err
	}
	defer r.Kill()
	out, output := Collect()
	if err := r.Reduce(Blocks(records, each), out); err != nil {
		return nil, err
	}
	err = out.Flush()
	return *output, err
}

// Run runs a whole job and returns the lines of its output.
func Run(t testing.TB, p program.Program, batches []record.Batch) []string {
	t.Helper()
	records, err := MapAll(t, p, Attempt(t), batches)
	if err != nil {
		t.Fatal(err)
	}
	output, err := ReduceAll(t, p, Attempt(t), records, 7)
	if err != nil {
		t.Fatal(err)
	}
	return Text(p, output)
}

// Text returns records as lines of output.
func Text(p program.Program, output []KV) []string {
	texts := make([]string, len(output))
	for i, r := range output {
		texts[i] = r.Key()
		if !p.Traits().KeyOnly {
			texts[i] += "\t" + r.Value()
		}
	}
	return texts
}

// WantUserError returns err as a UserError, or fails the test.
func WantUserError(t testing.TB, err error) *program.UserError {
	t.Helper()
	var user *program.UserError
	if !errors.As(err, &user) {
		t.Fatalf("want a UserError, have %v", err)
	}
	return user
}

// MapTimes maps a batch of lines a number of times, and counts the output.
func MapTimes(t *testing.T, p program.Program, a program.Attempt, times int, text string) (records, bytes int64) {
	t.Helper()
	m, err := p.NewMapper(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	out := Discard()
	for range times {
		if err := m.Map(&record.Batch{Framing: record.Lines, Data: []byte(text)}, out); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(out); err != nil {
		t.Fatal(err)
	}
	return out.Count()
}

// ReduceOnce runs a reduce attempt over the blocks of next, and flushes out.
func ReduceOnce(t *testing.T, p program.Program, next func() ([]byte, error), out *record.Emitter) error {
	t.Helper()
	r, err := p.NewReducer(t.Context(), Attempt(t))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	if err := r.Reduce(next, out); err != nil {
		return err
	}
	return out.Flush()
}

// Zipf returns about size bytes of lines of words whose frequencies follow Zipf's law.
func Zipf(size int) string {
	r := rand.New(rand.NewPCG(1, 2))
	z := rand.NewZipf(r, 1.1, 4, 200_000)
	var s strings.Builder
	for n := 0; s.Len() < size; n++ {
		s.WriteString("w" + strconv.FormatUint(z.Uint64()*7919, 36))
		if n%10 == 9 {
			s.WriteByte('\n')
		} else {
			s.WriteByte(' ')
		}
	}
	return s.String()
}

// Discard returns an Emitter that drops its records.
func Discard() *record.Emitter {
	return record.NewEmitter(256<<10, func(block []byte) ([]byte, error) { return block, nil })
}

// BenchmarkMapper maps text, in batches of 1 MiB.
func BenchmarkMapper(b *testing.B, p program.Program, text string) {
	batches := Lines("file:///in", text, 1<<20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		m, err := p.NewMapper(b.Context(), Attempt(b))
		if err != nil {
			b.Fatal(err)
		}
		out := Discard()
		for i := range batches {
			if err := m.Map(&batches[i], out); err != nil {
				b.Fatal(err)
			}
		}
		if err := m.Close(out); err != nil {
			b.Fatal(err)
		}
		m.Kill()
	}
}

// FIFO makes a FIFO. It returns the path, and a channel that receives a value once all writers have
// closed the FIFO.
func FIFO(t *testing.T) (string, <-chan error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		f, err := os.Open(path) // waits for a writer
		if err == nil {
			_, err = io.Copy(io.Discard, f)
			err = errors.Join(err, f.Close())
		}
		gone <- err
	}()
	return path, gone
}

// LogSignal is a log that sends each write to its reader.
type LogSignal chan string

func (l LogSignal) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// Source opens a Python program with an interpreter that is found once for all tests.
func Source(t testing.TB, kind *program.Kind, source string, params map[string]string) program.Program {
	t.Helper()
	p, err := kind.Open(Ready(t, kind), program.Spec{Kind: kind.Name, Name: "job.py", Params: params}, WritePython(t, source))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var found struct {
	sync.Mutex
	config *program.Config // guarded by the mutex
}

// Ready returns a Config that is ready for a kind, which must be the same in all tests of a
// package.
func Ready(t testing.TB, kind *program.Kind) program.Config {
	t.Helper()
	found.Lock()
	defer found.Unlock()
	if found.config == nil {
		cfg, err := kind.Ready(t.Context(), program.Config{})
		if err != nil {
			t.Fatal(err)
		}
		found.config = &cfg
	}
	return *found.config
}

// WritePython writes a job file and returns its path.
func WritePython(t testing.TB, source string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "job.py")
	if err := os.WriteFile(path, []byte(strings.TrimPrefix(source, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// OddText is a text with difficult lines.
var OddText = strings.Join([]string{
	"the quick  brown\tfox", "", "the\r", "CR\rinside\r", "\x00NUL \x00 the", "not UTF-8: \xff\xfe caf\xe9",
	"ÄÖ Über Straße the", "\v\fverti cal", strings.Repeat("long", 5000) + " the", "end without line end the",
}, "\n")

// RecordsOf returns the lines of text by the definition of a Batch.
func RecordsOf(text string) []string {
	var all []string
	for _, r := range (&record.Batch{Framing: record.Lines, Data: []byte(text)}).Records() {
		all = append(all, string(bytes.Clone(r)))
	}
	return all
}
