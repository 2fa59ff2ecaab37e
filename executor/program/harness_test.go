package program

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bucketmill/bucketmill/internal/record"
)

// kv is a copy of an emitted record.
type kv struct{ key, value string }

// collect returns an Emitter with small blocks, and what ends up there.
func collect() (*record.Emitter, *[]kv) {
	var records []kv
	out := record.NewEmitter(64, func(block []byte) ([]byte, error) {
		for len(block) > 0 {
			k, v, n, err := record.Read(block)
			if err != nil {
				return nil, err
			}
			records = append(records, kv{string(k), string(v)})
			block = block[n:]
		}
		return nil, nil
	})
	return out, &records
}

// blocks returns records as a reducer gets them, in blocks of that many records.
func blocks(records []kv, each int) func() ([]byte, error) {
	return func() ([]byte, error) {
		if len(records) == 0 {
			return nil, io.EOF
		}
		var block []byte
		n := min(each, len(records))
		for _, r := range records[:n] {
			block = record.Append(block, []byte(r.key), []byte(r.value))
		}
		records = records[n:]
		return block, nil
	}
}

// lines cuts text into batches of about size bytes, between lines.
func lines(input, text string, size int) []record.Batch {
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

func attempt(t testing.TB) Attempt {
	return Attempt{Job: "job", Phase: "map", Scratch: t.TempDir(), Format: "text", Lines: true, Reducers: 1}
}

// mapAll runs a map attempt and returns what it emits, in order.
func mapAll(t testing.TB, p Program, a Attempt, batches []record.Batch) ([]kv, error) {
	t.Helper()
	m, err := p.NewMapper(t.Context(), a)
	if err != nil {
		return nil, err
	}
	defer m.Kill()
	out, records := collect()
	for _, b := range batches {
		data := bytes.Clone(b.Data)
		b.Data = data
		if err := m.Map(&b, out); err != nil {
			return nil, err
		}
		clear(data) // it is ours again, and nobody may look at it
	}
	if err := m.Close(out); err != nil {
		return nil, err
	}
	err = out.Flush()
	return *records, err
}

// reduceAll runs a reduce attempt over records, sorted here, and returns its output.
func reduceAll(t testing.TB, p Program, a Attempt, records []kv, each int) ([]kv, error) {
	t.Helper()
	slices.SortStableFunc(records, func(a, b kv) int { return cmp.Compare(a.key, b.key) })
	r, err := p.NewReducer(t.Context(), a)
	if err != nil {
		return nil, err
	}
	defer r.Kill()
	out, output := collect()
	if err := r.Reduce(blocks(records, each), out); err != nil {
		return nil, err
	}
	err = out.Flush()
	return *output, err
}

// run runs a whole job and returns its output's lines.
func run(t testing.TB, p Program, batches []record.Batch) []string {
	t.Helper()
	records, err := mapAll(t, p, attempt(t), batches)
	if err != nil {
		t.Fatal(err)
	}
	output, err := reduceAll(t, p, attempt(t), records, 7)
	if err != nil {
		t.Fatal(err)
	}
	return text(p, output)
}

// text returns records as lines of output.
func text(p Program, output []kv) []string {
	texts := make([]string, len(output))
	for i, r := range output {
		texts[i] = r.key
		if !p.Traits().KeyOnly {
			texts[i] += "\t" + r.value
		}
	}
	return texts
}

// open opens a builtin with params given as name, value, …
func open(t testing.TB, name string, params ...string) Program {
	t.Helper()
	spec := Spec{Kind: Builtin, Name: name, Params: map[string]string{}}
	for i := 0; i < len(params); i += 2 {
		spec.Params[params[i]] = params[i+1]
	}
	p, err := Open(Config{}, spec, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var findPython = sync.OnceValues(func() (Config, error) {
	return Config{}.FindPython(context.Background()) // all tests share it
})

// pythonConfig returns a Config whose interpreter is found.
func pythonConfig(t testing.TB) Config {
	t.Helper()
	cfg, err := findPython()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// writePython writes a job file and returns its path.
func writePython(t testing.TB, source string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "job.py")
	if err := os.WriteFile(path, []byte(strings.TrimPrefix(source, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// openSource opens a Python program.
func openSource(t testing.TB, source string, params map[string]string) Program {
	t.Helper()
	p, err := Open(pythonConfig(t), Spec{Kind: Python, Name: "job.py", Params: params}, writePython(t, source))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantUserError returns err as a UserError.
func wantUserError(t testing.TB, err error) *UserError {
	t.Helper()
	var user *UserError
	if !errors.As(err, &user) {
		t.Fatalf("want a UserError, have %v", err)
	}
	return user
}

// mapTimes maps a batch of lines so many times, and counts what comes out.
func mapTimes(t *testing.T, p Program, a Attempt, times int, text string) (records, bytes int64) {
	t.Helper()
	m, err := p.NewMapper(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	out := discard()
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

// reduceOnce reduces what next gives, to the last record of out.
func reduceOnce(t *testing.T, p Program, next func() ([]byte, error), out *record.Emitter) error {
	t.Helper()
	r, err := p.NewReducer(t.Context(), attempt(t))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	if err := r.Reduce(next, out); err != nil {
		return err
	}
	return out.Flush()
}
