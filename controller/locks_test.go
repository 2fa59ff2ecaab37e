package controller

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/state"
)

// A lock on an output counts as long as its job has not ended. If a request came late and locked an
// output for a job that is over, another job can take the lock, and it is removed if none does.
func TestLockOfAJobThatIsOver(t *testing.T) {
	for name, test := range map[string]struct {
		durable bool
		holder  func(l lab, spec job.Spec) // brings job "j" to its state before it locks the output
		over    bool
	}{
		"waits to be planned": {false, func(l lab, spec job.Spec) { l.submit("j", spec) }, false},
		"is cleaned up after": {false, func(l lab, spec job.Spec) {
			l.submit("j", spec)
			l.must(l.cfg.Store.Stop(l.t.Context(), "j", state.AnyStage, job.Cancelled, job.Failure{}))
		}, false},
		"has ended": {false, func(l lab, spec job.Spec) {
			l.submit("j", spec)
			l.must(l.cfg.Store.Stop(l.t.Context(), "j", state.AnyStage, job.Cancelled, job.Failure{}))
			l.must(l.cfg.Store.Forget(l.t.Context(), "j", state.AnyStage, time.Hour))
		}, true},
		"is unknown":              {false, func(lab, job.Spec) {}, true},
		"is unknown to the store": {true, func(lab, job.Spec) {}, true},
		"is about to be restored": {true, func(l lab, _ job.Spec) {
			_, err := l.writeRecord(l.t.Context(), "j", jobRecord{Namespace: l.cfg.Store.Namespace()})
			l.must(err)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(cfg *Config) { cfg.Durable = test.durable })
			spec := job.Spec{Program: "sort", Input: job.Inputs(l.folder), Output: filepath.Join(l.folder, "out")}
			test.holder(l, spec)
			lock := func() {
				t.Helper()
				holder, err := l.cfg.Store.LockOutput(t.Context(), l.stepOf("j", spec).out.url, "j")
				l.must(err)
				if holder != "j" {
					t.Fatalf("the output is held by %q", holder)
				}
			}

			lock()
			l.must(l.freeOutputs(t.Context()))
			locks, err := l.cfg.Store.OutputLocks(t.Context())
			l.must(err)
			if left := len(locks) == 1; left == test.over {
				t.Errorf("tidied up: locks are %v", locks)
			}

			lock()
			taken, err := l.stepOf("other", spec).takeOutput(t.Context())
			l.must(err)
			if taken != test.over {
				t.Errorf("another job gets the lock: %t", taken)
			}
		})
	}
}

// A failed job can't be retried over what others have written to its output since. It can once that
// is deleted, and does not keep others from the output meanwhile.
func TestRetryWhereTheOutputIsNotFree(t *testing.T) {
	for name, c := range map[string]struct {
		take, free func(l lab, spec job.Spec)
		says       string
	}{
		"something is there": {
			func(l lab, spec job.Spec) { l.write(spec.Output+"/part-00000", "x") },
			func(l lab, spec job.Spec) { l.must(os.Remove(spec.Output + "/part-00000")) },
			"is not empty (it has part-00000)",
		},
		"an object is there": {
			func(l lab, spec job.Spec) { l.write(spec.Output, "x") },
			func(l lab, spec job.Spec) { l.must(os.Remove(spec.Output)) },
			"exists already, as an object of 1 bytes",
		},
		"another job writes there": {
			func(l lab, spec job.Spec) {
				l.submit("other", spec)
				_, err := l.step("other").takeOutput(l.t.Context())
				l.must(err)
			},
			func(l lab, spec job.Spec) { l.must(l.step("other").unlockOutput(l.t.Context())) },
			"job other is writing to it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil)
			spec := job.Spec{Program: "wordcount", Kind: "builtin", Format: "text", Input: job.Inputs(l.folder), Output: filepath.Join(l.folder, "out")}
			l.submit("j", spec)
			l.write(filepath.Join(l.folder, "work", layout.Layout{Job: "j"}.PlanPage("x", 0)), "{}")
			plan, err := layout.Plan{Spread: 1, PageSize: 1, Pages: "x"}.Encode()
			l.must(err)
			l.must(l.cfg.Store.Start(t.Context(), "j", state.Outline{Maps: 1, Plan: plan}))
			l.must(l.cfg.Store.Stop(t.Context(), "j", state.AnyStage, job.Failed, job.Failure{Class: job.ClassJob, Message: "no"}))
			l.must(l.cfg.Store.Keep(t.Context(), "j", state.AnyStage, time.Hour))
			c.take(l, spec)
			err = l.Retry(t.Context(), "j")
			if !errors.Is(err, job.ErrOutputNotFree) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			locks, err := l.cfg.Store.OutputLocks(t.Context())
			l.must(err)
			for _, holder := range locks {
				if holder == "j" {
					t.Error("the job has the output locked")
				}
			}
			c.free(l, spec)
			l.must(l.Retry(t.Context(), "j"))
		})
	}
}
