package executor

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
	"github.com/bucketmill/bucketmill/state"
)

// reading returns the work of a map task over objects of a format, some of them long. If the format's name
// begins with "gzip " they are compressed, and their names do not say so.
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
	parsed, err := input.ParseFormat(format)
	if err != nil {
		t.Fatal(err)
	}
	var objects []input.Object
	sizes := []int{3, 40_000, 1, 2_000}
	if parsed.Kind == input.Whole {
		sizes = []int{3, 1, 2_000, 5} // none is longer than a record may be
	}
	rng := rand.New(rand.NewPCG(3, 4)) // lines that don't get much smaller
	for i, lines := range sizes {
		var text strings.Builder
		for n := range lines {
			fmt.Fprintf(&text, "%d,%d,%015x%015x%015x%015x\n", i, n, rng.Uint64()>>4, rng.Uint64()>>4, rng.Uint64()>>4, rng.Uint64()>>4) // of the same length but for the ordinal
		}
		data := text.String()
		if parsed.Kind == input.Fixed {
			data = data[:len(data)/parsed.RecordLen*parsed.RecordLen]
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
		w.task = append(w.task, task...)
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

// place is where a record is, and what it is.
type place struct {
	input  string
	offset int64
	record string
}

func (w *mapTask) places(t *testing.T, from, until int64) (places []place) {
	t.Helper()
	err := w.read(t.Context(), &recordPick{from: from, until: until, pass: func(b *record.Batch) error {
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

// Wherever reading begins, a record has the same ordinal.
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
					t.Errorf("%d marks: no way into the middle", len(w.marks))
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
					if unit, err := w.named(t.Context(), from, until, why); err != nil || unit != until-1 {
						t.Errorf("record %d is found as %d, %v", until-1, unit, err)
					}
					if unit, err := w.named(t.Context(), from, until-1, why); err != nil || unit != -1 {
						t.Errorf("record %d is found as %d where it is not, %v", until-1, unit, err)
					}
					told, err := w.describe(t.Context(), until-1)
					if err != nil || told.Input != wanted.input || *told.Offset != wanted.offset || told.Value.Text != wanted.record[:min(len(wanted.record), shownBytes)] {
						t.Errorf("record %d is told of as %+v, %v", until-1, told, err)
					}
				}
			})
		}
	}
}

func TestCarefulAttempts(t *testing.T) {
	e := &Executor{cfg: Config{Limits: state.DefaultLimits}}
	for _, test := range []struct {
		skip, most int
		kind       string
		mayIsolate int // the first attempt that is; 0: none
	}{
		{0, 0, "python", 0},
		{5, 0, "python", 3},
		{5, 0, "exec", 3},
		{5, 0, "builtin", 0},
		{5, 1, "python", 1},
		{5, 2, "python", 2},
		{5, 9, "python", 3},
	} {
		j := &jobContext{spec: job.Spec{SkipBadRecords: test.skip, MaxAttempts: test.most, Kind: test.kind}}
		for number := 1; number < 12; number++ {
			a := &attempt{Claim: state.Claim{Attempt: job.AttemptID{Number: number}}}
			if got := e.mayIsolate(a, j); got != (test.mayIsolate > 0 && number >= test.mayIsolate) {
				t.Errorf("%+v: attempt %d is careful: %v", test, number, got)
			}
		}
	}
}

// doing is a trial whose work can be done once the bad units are left out.
type doing struct {
	trial
	omitted   [][]int64
	last      error // how the work ends then
	discarded int
}

func (w *doing) run(_ context.Context, omit []int64) (result, error) {
	w.omitted = append(w.omitted, omit)
	if omit == nil {
		return result{}, &program.UserError{Program: "p", Message: "failed"}
	}
	return result{counters: map[string]int64{}, discard: func(context.Context) error { w.discarded++; return nil }}, w.last
}

// What is set aside is on the work store when the attempt has a result, and goes with it.
func TestSetAsideLivesAsLongAsTheResult(t *testing.T) {
	e := reading(t, "text", 1<<20).executor
	a := &attempt{Claim: state.Claim{Attempt: job.AttemptID{Job: "j", Task: job.TaskID{Side: job.Map, Index: 4}, Number: 3}}}
	j := &jobContext{spec: job.Spec{SkipBadRecords: 2}, layout: layout.Layout{Job: "j", Spread: 1, Prefix: e.workPrefix}}
	key := j.layout.Skipped(a.Attempt)
	bad := []int64{3, 8}
	for name, test := range map[string]struct {
		number int
		bad    []int64
		last   error
		says   string // the error; empty: success
	}{
		"success":        {3, bad, nil, ""},
		"not careful":    {2, bad, nil, "p: failed"},
		"one too many":   {3, []int64{3, 8, 9}, nil, "one too many"},
		"fails again":    {3, bad, &program.UserError{Program: "p", Message: "new"}, "p: new [no record was skipped for this: it also fails without the 2"},
		"store breaks":   {3, bad, errBroken, errBroken.Error()},
		"none to be had": {3, nil, nil, "did not fail again"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &doing{trial: trial{total: 10, fails: first(test.bad), ahead: func() int64 { return 4 }, names: nobody}, last: test.last}
			a.Attempt.Number = test.number
			r, err := e.runTask(t.Context(), a, j, w)
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("error %v, want %q", err, test.says)
				}
				for o, err := range e.work.List(t.Context(), e.workPrefix) {
					t.Errorf("left behind: %s, %v", o.Key, err)
				}
				return
			}
			if err != nil || fmt.Sprint(w.omitted) != "[[] [3 8]]" || r.counters[job.SkippedBy(a.Attempt.Task)] != 2 {
				t.Fatalf("omitted %v, counters %v, %v", w.omitted, r.counters, err)
			}
			text, err := objstore.ReadChecked(t.Context(), e.work, key)
			if err != nil || !strings.HasPrefix(string(text), `{"job":"j","task":"m4",`) || strings.Count(string(text), "\n") != 2 {
				t.Errorf("set aside: %s, %v", text, err)
			}
			if err := r.discard(t.Context()); err != nil || w.discarded != 1 {
				t.Errorf("discarded %d times, %v", w.discarded, err)
			}
			if o, err := e.work.Stat(t.Context(), key); err == nil {
				t.Errorf("%s is still there", o.Key)
			}
		})
	}
}
