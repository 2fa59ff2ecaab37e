package state

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// The job of these tests has three tasks of each side: the first is committed, the second is run by
// executor "me", the third is ready.
const testJob = job.ID("job")

var (
	mapAttempt    = job.AttemptID{Job: testJob, Task: job.TaskID{Side: job.Map, Index: 1}, Number: 1}
	reduceAttempt = job.AttemptID{Job: testJob, Task: job.TaskID{Side: job.Reduce, Index: 1}, Number: 1}
)

// life brings a job into each state, from the state that precedes it.
var life = []struct {
	state, from string
	enter       func(t *testing.T, s *Store)
}{
	{"none", "", func(*testing.T, *Store) {}},
	{"plan", "none", func(t *testing.T, s *Store) { must(t, errOf(s.Submit(t.Context(), testJob, "test", 0, []byte(`{}`)))) }},
	{"map", "plan", func(t *testing.T, s *Store) {
		must(t, s.Start(t.Context(), testJob, Outline{Maps: 3, Reduces: 3}))
		commit(t, s, "me", claim(t, s, "me", 2)[0])
	}},
	{"reduce", "map", func(t *testing.T, s *Store) {
		commit(t, s, "me", append(claim(t, s, "me", 1), mapAttempt)...)
		commit(t, s, "me", claim(t, s, "me", 2)[0])
	}},
	{"publish", "reduce", func(t *testing.T, s *Store) {
		commit(t, s, "me", append(claim(t, s, "me", 1), reduceAttempt)...)
	}},
	{"failed", "map", func(t *testing.T, s *Store) {
		must(t, s.Stop(t.Context(), testJob, AnyStage, job.Failed, job.Failure{Message: "no"}))
	}},
	{"kept", "failed", func(t *testing.T, s *Store) { must(t, s.Keep(t.Context(), testJob, AnyStage, time.Hour)) }},
	{"cancelled", "reduce", func(t *testing.T, s *Store) {
		must(t, s.Stop(t.Context(), testJob, AnyStage, job.Cancelled, job.Failure{}))
	}},
	{"completed", "publish", func(t *testing.T, s *Store) { must(t, s.Finish(t.Context(), testJob, AnyStage)) }},
	{"ended", "completed", func(t *testing.T, s *Store) { must(t, s.Forget(t.Context(), testJob, AnyStage, time.Hour)) }},
}

func enter(t *testing.T, s *Store, state string) {
	t.Helper()
	for _, l := range life {
		if l.state == state {
			if l.from != "" {
				enter(t, s, l.from)
			}
			l.enter(t, s)
			return
		}
	}
	t.Fatalf("no state %s", state)
}

var errLost = errors.New("lease is lost")

func renewOne(t *testing.T, s *Store, a job.AttemptID, executor job.ExecutorID) error {
	lost, _, err := s.Renew(t.Context(), executor, lease, []Beat{{Attempt: known(t, s, a), Progress: 500, Progressed: true}})
	if err == nil && len(lost) > 0 {
		return errLost
	}
	return err
}

// running returns the attempt that runs in a state, or one that does not run.
func running(state string) job.AttemptID {
	if state == "map" {
		return mapAttempt
	}
	return reduceAttempt
}

func fail(class job.Class) func(t *testing.T, s *Store, state string) error {
	return func(t *testing.T, s *Store, state string) error {
		return s.Fail(t.Context(), known(t, s, running(state)), "me", job.Failure{Class: class, Message: "oops"}, Limits{})
	}
}

// Each cell is what an event does in a state: the phase after it, "=" if it succeeds and changes
// nothing, or the error of its refusal.
var transitions = []struct {
	event string
	do    func(t *testing.T, s *Store, state string) error
	cells string
}{
	{
		event: "",
		cells: "none   plan    map     reduce  publish failed  cancelled completed ended     kept",
	}, {
		event: "submit the same",
		cells: "plan   =       =       =       =       =       =         =         =      =",
		do: func(t *testing.T, s *Store, _ string) error {
			return errOf(s.Submit(t.Context(), testJob, "test", 0, []byte(`{}`)))
		},
	}, {
		event: "submit another",
		cells: "plan   exists  exists  exists  exists  exists  exists    exists    exists exists",
		do: func(t *testing.T, s *Store, _ string) error {
			return errOf(s.Submit(t.Context(), testJob, "test", 0, []byte(`{"other":true}`)))
		},
	}, {
		event: "start",
		cells: "no-job map     illegal illegal illegal illegal illegal   illegal   illegal   illegal",
		do: func(t *testing.T, s *Store, _ string) error {
			return s.Start(t.Context(), testJob, Outline{Maps: 3, Reduces: 3})
		},
	}, {
		event: "claim",
		cells: "=      =       map     reduce  =       =       =         =         =      =",
		do: func(t *testing.T, s *Store, _ string) error {
			_, err := s.Claim(t.Context(), "another", 1, lease)
			return err
		},
	}, {
		event: "renew",
		cells: "lost   lost    map     reduce  lost    lost    lost      lost      lost   lost",
		do:    func(t *testing.T, s *Store, state string) error { return renewOne(t, s, running(state), "me") },
	}, {
		event: "renew by another",
		cells: "lost   lost    lost    lost    lost    lost    lost      lost      lost   lost",
		do:    func(t *testing.T, s *Store, state string) error { return renewOne(t, s, running(state), "another") },
	}, {
		event: "commit map",
		cells: "stale  stale   map     =       =       stale   =         =         stale  stale",
		do: func(t *testing.T, s *Store, _ string) error {
			return s.Commit(t.Context(), known(t, s, mapAttempt), "me", []byte("m"), nil)
		},
	}, {
		event: "commit reduce",
		cells: "stale  stale   stale   reduce  =       stale   stale     =         stale  stale",
		do: func(t *testing.T, s *Store, _ string) error {
			return s.Commit(t.Context(), known(t, s, reduceAttempt), "me", []byte("m"), nil)
		},
	}, {
		event: "commit by another",
		cells: "stale  stale   stale   stale   stale   stale   stale     stale     stale  stale",
		do: func(t *testing.T, s *Store, state string) error {
			return s.Commit(t.Context(), known(t, s, running(state)), "another", []byte("m"), nil)
		},
	}, {
		event: "fail: program",
		cells: "stale  stale   map     reduce  stale   stale   stale     stale     stale  stale",
		do:    fail(job.ClassUser),
	}, {
		event: "fail: infrastructure",
		cells: "stale  stale   map     reduce  stale   stale   stale     stale     stale  stale",
		do:    fail(job.ClassInfra),
	}, {
		event: "fail: handed back",
		cells: "stale  stale   map     reduce  stale   stale   stale     stale     stale  stale",
		do:    fail(job.ClassReleased),
	}, {
		event: "back up",
		cells: "stale  stale   map     reduce  stale   stale   stale     stale     stale  stale",
		do: func(t *testing.T, s *Store, state string) error {
			return s.Backup(t.Context(), known(t, s, running(state)))
		},
	}, {
		event: "lose segment",
		cells: "stale  stale   stale   map     stale   stale   stale     stale     stale  stale",
		do: func(t *testing.T, s *Store, _ string) error {
			return s.LoseSegment(t.Context(), known(t, s, reduceAttempt), "me", known(t, s, mapAttempt), job.Failure{Message: "gone"}, Limits{})
		},
	}, {
		event: "redo",
		cells: "no-job illegal illegal illegal reduce illegal illegal   illegal   illegal   illegal",
		do: func(t *testing.T, s *Store, _ string) error {
			return s.Redo(t.Context(), testJob, AnyStage, []Lost{{Attempt: known(t, s, reduceAttempt), Why: "gone"}}, Limits{})
		},
	}, {
		event: "sweep",
		cells: "no-job =       =       =       =       =       =         =         =      =",
		do: func(t *testing.T, s *Store, _ string) error {
			_, err := s.Sweep(t.Context(), testJob, Limits{})
			return err
		},
	}, {
		event: "stop",
		cells: "no-job cleanup cleanup cleanup cleanup illegal illegal   illegal   illegal   illegal",
		do: func(t *testing.T, s *Store, _ string) error {
			return s.Stop(t.Context(), testJob, AnyStage, job.Cancelled, job.Failure{Class: job.ClassJob})
		},
	}, {
		event: "finish",
		cells: "no-job illegal illegal illegal cleanup illegal illegal   illegal   illegal   illegal",
		do:    func(t *testing.T, s *Store, _ string) error { return s.Finish(t.Context(), testJob, AnyStage) },
	}, {
		event: "forget",
		cells: "no-job illegal illegal illegal illegal ended   ended     ended     illegal   illegal",
		do: func(t *testing.T, s *Store, _ string) error {
			return s.Forget(t.Context(), testJob, AnyStage, time.Hour)
		},
	}, {
		event: "note",
		cells: "no-job illegal illegal illegal illegal cleanup cleanup   cleanup   illegal   illegal",
		do: func(t *testing.T, s *Store, _ string) error {
			return s.Note(t.Context(), testJob, NoteWebhookFailed, job.Failure{Class: job.ClassJob, Message: "no"})
		},
	}, {
		event: "set bounds",
		cells: "no-job stale   map     reduce  stale   stale   stale     stale     stale  stale",
		do: func(t *testing.T, s *Store, _ string) error {
			job, err := s.Job(t.Context(), testJob)
			if err == nil {
				_, err = s.SetBounds(t.Context(), testJob, job.Born, "name")
			}
			return err
		},
	}, {
		event: "keep",
		cells: "no-job illegal illegal illegal illegal kept    illegal   illegal   illegal   illegal",
		do:    func(t *testing.T, s *Store, _ string) error { return s.Keep(t.Context(), testJob, AnyStage, time.Hour) },
	}, {
		event: "discard",
		cells: "no-job illegal illegal illegal illegal illegal illegal   illegal   illegal   cleanup",
		do:    func(t *testing.T, s *Store, _ string) error { return s.Discard(t.Context(), testJob, AnyStage) },
	}, {
		event: "retry",
		cells: "no-job illegal illegal illegal illegal illegal illegal   illegal   illegal   map",
		do:    func(t *testing.T, s *Store, _ string) error { return s.Retry(t.Context(), testJob, AnyStage) },
	},
}

func phaseOf(t *testing.T, s *Store) job.Phase {
	t.Helper()
	job, err := s.Job(t.Context(), testJob)
	if errors.Is(err, ErrNoJob) {
		return ""
	}
	must(t, err)
	return job.Phase
}

var refusals = map[string]error{
	"no-job": ErrNoJob, "illegal": ErrIllegal, "stale": ErrStale, "exists": ErrExists, "lost": errLost,
}

func TestEveryEventInEveryState(t *testing.T) {
	onServers(t, func(t *testing.T, base *Store) {
		states := strings.Fields(transitions[0].cells)
		for _, row := range transitions[1:] {
			for i, want := range strings.Fields(row.cells) {
				state := states[i]
				t.Run(row.event+"/"+state, func(t *testing.T) {
					s := New(base.rdb, base.namespace+row.event+state)
					enter(t, s, state)
					before, stage, phase := dump(t, s), stageOf(t, s), phaseOf(t, s)
					err := row.do(t, s, state)
					after := dump(t, s)
					if refusal := refusals[want]; !errors.Is(err, refusal) || refusal == nil && err != nil {
						t.Fatalf("got %v, wanted %s", err, want)
					}
					if want == "=" || refusals[want] != nil {
						sameState(t, s, before, after, want == "=")
						return
					}
					inPhase(t, s, testJob, job.Phase(want))
					if moved := phase != job.Phase(want); moved != (stageOf(t, s) > stage) {
						t.Errorf("from phase %q, stage %d, it came to stage %d", phase, stage, stageOf(t, s))
					}
				})
			}
		}
	})
}

func TestArgumentsThatAreNeverAllowed(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		segment, reduce := mapAttempt, reduceAttempt
		for name, test := range map[string]struct {
			err  error
			want error
		}{
			"braces in a job's id":      {errOf(s.Submit(ctx, "a}b", "", 0, nil)), ErrInvalid},
			"no job id":                 {errOf(s.Submit(ctx, "", "", 0, nil)), ErrInvalid},
			"too high a priority":       {errOf(s.Submit(ctx, "a", "", 1001, nil)), ErrInvalid},
			"no map tasks":              {s.Start(ctx, testJob, Outline{Maps: 0, Reduces: 1}), ErrIllegal},
			"fewer than no reduces":     {s.Start(ctx, testJob, Outline{Maps: 1, Reduces: -1}), ErrIllegal},
			"stop as completed":         {s.Stop(ctx, testJob, AnyStage, job.Completed, job.Failure{}), ErrIllegal},
			"reduce output as segment":  {s.LoseSegment(ctx, reduce, "me", reduce, job.Failure{}, Limits{}), ErrIllegal},
			"segment found by a map":    {s.LoseSegment(ctx, segment, "me", segment, job.Failure{}, Limits{}), ErrIllegal},
			"redo nothing":              {s.Redo(ctx, testJob, AnyStage, nil, Limits{}), ErrInvalid},
			"white space in executor":   {claimError(t, s, "a b", lease), ErrInvalid},
			"executor without a name":   {claimError(t, s, "", lease), ErrInvalid},
			"a lease that ends at once": {claimError(t, s, "me", time.Microsecond), ErrInvalid},
		} {
			if !errors.Is(test.err, test.want) {
				t.Errorf("%s: got %v, wanted %v", name, test.err, test.want)
			}
		}
		if left := keys(t, s); len(left) > 0 {
			t.Errorf("refused calls wrote %v", left)
		}
	})
}

func claimError(t *testing.T, s *Store, executor job.ExecutorID, lease time.Duration) error {
	_, err := s.Claim(t.Context(), executor, 1, lease)
	return err
}
