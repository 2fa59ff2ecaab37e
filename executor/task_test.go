package executor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/badrecords"
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

func TestAttemptsThatMaySkip(t *testing.T) {
	e := &Executor{cfg: Config{Limits: state.DefaultLimits}}
	for _, test := range []struct {
		skip, most int
		kind       string
		first      int // the first attempt that may skip; 0: none
	}{
		{0, 0, "python", 0},
		{5, 0, "python", 3},
		{5, 0, "exec", 3},
		{5, 0, "builtin", 0},
		{5, 1, "python", 1},
		{5, 2, "python", 2},
		{5, 9, "python", 3},
	} {
		kind, err := kinds.All().Find(test.kind)
		if err != nil {
			t.Fatal(err)
		}
		j := &jobContext{spec: job.Spec{SkipBadRecords: test.skip, MaxAttempts: test.most}, kind: kind}
		for number := 1; number < 12; number++ {
			a := &attempt{Claim: state.Claim{Attempt: job.AttemptID{Number: number}}}
			env := taskEnv{executor: e, attempt: a, job: j}
			if got := env.maySkip(); got != (test.first > 0 && number >= test.first) {
				t.Errorf("%+v: attempt %d may skip: %v", test, number, got)
			}
		}
	}
}

// failing is a task of ten units that fails on the bad ones, and succeeds without them.
type failing struct {
	bad       []int64
	omitted   [][]int64 // of each run
	last      error     // how a run without the bad units ends
	discarded int
}

var errBroken = errors.New("the store is broken")

func (f *failing) run(_ context.Context, omit []int64) (result, error) {
	f.omitted = append(f.omitted, omit)
	if omit == nil {
		return result{}, &program.UserError{Program: "p", Message: "failed"}
	}
	return result{counters: map[string]int64{}, discard: func(context.Context) error { f.discarded++; return nil }}, f.last
}

func (f *failing) Try(_ context.Context, from, until int64) (int64, error) {
	until = min(until, 10)
	for _, unit := range f.bad {
		if unit >= from && unit < until {
			return unit + 1, &program.UserError{Program: "p", Message: "failed"}
		}
	}
	return max(from, until), nil
}

func (f *failing) Named(context.Context, int64, int64, *program.UserError) (int64, error) {
	return -1, nil
}

func (f *failing) Describe(_ context.Context, unit int64) (badrecords.Record, error) {
	return badrecords.Record{Record: unit}, nil
}

// The saved records are on the work store when the attempt has a result, and are discarded with it.
func TestSavedRecordsLiveAsLongAsTheResult(t *testing.T) {
	e := reading(t, "text", 1<<20).executor
	a := &attempt{Claim: state.Claim{Attempt: job.AttemptID{Job: "j", Task: job.TaskID{Side: job.Map, Index: 4}, Number: 3}}}
	j := &jobContext{kind: new(program.Kind), spec: job.Spec{SkipBadRecords: 2}, layout: layout.Layout{Job: "j", Spread: 1, Prefix: e.workPrefix}}
	key := j.layout.Skipped(a.Attempt)
	bad := []int64{3, 8}
	for name, test := range map[string]struct {
		number int
		bad    []int64
		last   error
		says   string // the error; empty: success
	}{
		"success":      {3, bad, nil, ""},
		"too early":    {2, bad, nil, "p: failed"},
		"too many":     {3, []int64{3, 8, 9}, nil, "the most that may be skipped"},
		"fails again":  {3, bad, &program.UserError{Program: "p", Message: "new"}, "p: new [no record was skipped for this: it also fails without the 2"},
		"store breaks": {3, bad, errBroken, errBroken.Error()},
		"none found":   {3, nil, nil, "did not fail again"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &failing{bad: test.bad, last: test.last}
			a.Attempt.Number = test.number
			r, err := runTask(t.Context(), &taskEnv{executor: e, attempt: a, job: j}, w)
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
				t.Errorf("saved: %s, %v", text, err)
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
