package executor

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/badrecords"
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/objstore/connect"
)

// reading returns a map task over objects of a format, some of them long. If the format's name
// begins with "gzip ", they are compressed, and their names do not say so.
func reading(t *testing.T, format string, splitSize int64) *mapTask {
	t.Helper()
	format, compressed := strings.CutPrefix(format, "gzip ")
	stores, err := connect.New(connect.Config{})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	e, err := New(t.Context(), Config{
		ID: "me", Open: stores.Open, Work: filepath.Join(folder, "work"), Log: slog.New(slog.DiscardHandler),
		Slots: 1, Memory: MinMemory, Scratch: filepath.Join(folder, "scratch"),
	})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := formats.Inputs.Parse(format, "")
	if err != nil {
		t.Fatal(err)
	}
	var objects []input.Object
	sizes := []int{3, 40_000, 1, 2_000}
	if format == "whole" {
		sizes = []int{3, 1, 2_000, 5} // none exceeds the limit of a record
	}
	rng := rand.New(rand.NewPCG(3, 4)) // for lines that don't compress well
	for i, lines := range sizes {
		var text strings.Builder
		for n := range lines {
			fmt.Fprintf(&text, "%d,%d,%015x%015x%015x%015x\n", i, n, rng.Uint64()>>4, rng.Uint64()>>4, rng.Uint64()>>4, rng.Uint64()>>4) // all of the same length, except for the ordinal
		}
		data := text.String()
		var n int
		if _, err := fmt.Sscanf(format, "fixed:%d", &n); err == nil {
			data = data[:len(data)/n*n]
		}
		if compressed {
			data = gzipped(t, data)
		}
		path := filepath.Join(folder, fmt.Sprintf("%d.txt", i))
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, input.Object{URL: "file://" + path, Size: int64(len(data))})
	}
	tasks, err := input.Plan(objects, input.Options{Format: parsed}, splitSize)
	if err != nil {
		t.Fatal(err)
	}
	w := &mapTask{taskEnv: taskEnv{executor: e, attempt: &attempt{}, job: &jobContext{format: parsed}}}
	for task := range tasks {
		w.splits = append(w.splits, task...)
	}
	return w
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// place is a record and its place in the input.
type place struct {
	input  string
	offset int64
	record string
}

func (w *mapTask) places(t *testing.T, from, until int64) (places []place) {
	t.Helper()
	err := w.read(t.Context(), &badrecords.RecordFilter{From: from, Until: until, Pass: func(b *record.Batch) error {
		for offset, record := range b.Records() {
			places = append(places, place{b.Input, offset, string(record)})
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return places
}

// A record has the same ordinal wherever reading begins.
func TestReadFromTheMiddle(t *testing.T) {
	for _, format := range []string{"text", "csv", "csv-multiline", "jsonl", "fixed:7", "whole", "gzip text", "gzip csv"} {
		for _, size := range []int64{64 << 10, 1 << 30} {
			t.Run(fmt.Sprintf("%s in %d", format, size), func(t *testing.T) {
				w := reading(t, format, size)
				all := w.places(t, 0, 1<<40)
				least := 3 // one for each object that has records
				if format != "whole" && format != "csv-multiline" && !strings.HasPrefix(format, "gzip") {
					least = 6
				}
				if len(w.marks) < least {
					t.Errorf("%d marks: reading can't begin in the middle", len(w.marks))
				}
				rng := rand.New(rand.NewPCG(1, 2))
				for range 3 {
					from := rng.Int64N(int64(len(all)))
					until := min(from+1+rng.Int64N(50), int64(len(all)))
					got := w.places(t, from, until)
					if fmt.Sprint(got) != fmt.Sprint(all[from:until]) {
						t.Fatalf("records %d to %d are %v, then %v", from, until, all[from:until], got)
					}
					wanted := got[len(got)-1]
					why := &program.UserError{Record: &program.RecordRef{Input: wanted.input, Offset: wanted.offset}}
					if unit, err := w.Named(t.Context(), from, until, why); err != nil || unit != until-1 {
						t.Errorf("record %d is found as %d, %v", until-1, unit, err)
					}
					if unit, err := w.Named(t.Context(), from, until-1, why); err != nil || unit != -1 {
						t.Errorf("record %d is found as %d where it is not, %v", until-1, unit, err)
					}
					described, err := w.Describe(t.Context(), until-1)
					if err != nil || described.Input != wanted.input || *described.Offset != wanted.offset || described.Value.Text != wanted.record[:min(len(wanted.record), badrecords.ShownBytes)] {
						t.Errorf("record %d is described as %+v, %v", until-1, described, err)
					}
				}
			})
		}
	}
}
