package state

import (
	"errors"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// decisions are what controllers decide because of a job's record.
var decisions = []struct {
	name, state string // in which it is legal
	do          func(t *testing.T, s *Store, stage Stage) error
}{
	{"start", "plan", func(t *testing.T, s *Store, stage Stage) error {
		return s.Start(t.Context(), testJob, Outline{Maps: 1, Stage: stage})
	}},
	{"fail planning", "plan", stopIn},
	{"fail publishing", "publish", stopIn},
	{"finish", "publish", func(t *testing.T, s *Store, stage Stage) error { return s.Finish(t.Context(), testJob, stage) }},
	{"finish what is found", "plan", func(t *testing.T, s *Store, stage Stage) error {
		return s.FinishFound(t.Context(), testJob, stage, map[string]int64{"tasks": 1})
	}},
	{"redo", "publish", func(t *testing.T, s *Store, stage Stage) error {
		return s.Redo(t.Context(), testJob, stage, []Lost{{Attempt: known(t, s, reduceAttempt)}}, Limits{})
	}},
	{"keep", "failed", func(t *testing.T, s *Store, stage Stage) error {
		return s.Keep(t.Context(), testJob, stage, time.Hour)
	}},
	{"discard", "kept", func(t *testing.T, s *Store, stage Stage) error { return s.Discard(t.Context(), testJob, stage) }},
	{"retry", "kept", func(t *testing.T, s *Store, stage Stage) error { return s.Retry(t.Context(), testJob, stage) }},
	{"forget", "cancelled", func(t *testing.T, s *Store, stage Stage) error {
		return s.Forget(t.Context(), testJob, stage, time.Hour)
	}},
}

func stopIn(t *testing.T, s *Store, stage Stage) error {
	return s.Stop(t.Context(), testJob, stage, job.Failed, job.Failure{Class: job.ClassJob})
}

// A decision is about the stage in which its reason was found. If it comes late, it must not apply
// to another stay in the same phase.
func TestDecisionsAreOfOneStage(t *testing.T) {
	onServers(t, func(t *testing.T, base *Store) {
		for _, d := range decisions {
			t.Run(d.name, func(t *testing.T) {
				s := New(base.rdb, base.namespace+d.name)
				enter(t, s, d.state)
				stage := stageOf(t, s)
				before := dump(t, s)
				for _, other := range []Stage{stage - 1, stage + 1} {
					if err := d.do(t, s, other); !errors.Is(err, ErrIllegal) {
						t.Fatalf("decided for another stage: %v", err)
					}
				}
				sameState(t, s, before, dump(t, s), false)
				must(t, d.do(t, s, stage))
				if now := stageOf(t, s); now <= stage {
					t.Errorf("stage %d after %d", now, stage)
				}
			})
		}
	})
}

// A job that fails, is retried and fails again enters each phase in a different stage, however
// fast.
func TestStagesNeverComeAgain(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		enter(t, s, "map")
		last := stageOf(t, s)
		rises := func() {
			t.Helper()
			now := stageOf(t, s)
			if now <= last {
				t.Fatalf("stage %d after %d", now, last)
			}
			last = now
		}
		for range 5 {
			must(t, stopIn(t, s, last))
			rises()
			must(t, s.Keep(t.Context(), testJob, last, time.Hour))
			rises()
			must(t, s.Retry(t.Context(), testJob, last))
			rises()
		}
	})
}

func stageOf(t *testing.T, s *Store) Stage {
	t.Helper()
	stage, phase, err := s.Stage(t.Context(), testJob)
	job, jobErr := s.Job(t.Context(), testJob)
	if errors.Is(err, ErrNoJob) && errors.Is(jobErr, ErrNoJob) {
		return 0
	}
	must(t, errors.Join(err, jobErr))
	if stage != job.Stage || phase != job.Phase {
		t.Fatalf("stage %d of phase %s, the job's record has %d of %s", stage, phase, job.Stage, job.Phase)
	}
	return stage
}
