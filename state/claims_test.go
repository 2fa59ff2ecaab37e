package state

import (
	"errors"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// A Redis that has lost everything uses numbers again: an earlier claim has the same name as a
// present one, by the same executor. Its time distinguishes them in everything that an attempt may
// ask for.
func TestClaimOfBeforeALossIsNoneOfNow(t *testing.T) {
	s, pass := driven(t)
	// begin brings a new job to a state in which m0 is committed and m1 is running, or, after
	// reducing has begun, r0 is running.
	begin := func(reducing bool) (committed, runs job.AttemptID) {
		must(t, s.Drop(t.Context(), "j"))
		pass(time.Second)
		started(t, s, "j", 2, 2)
		maps := claim(t, s, "me", 2)
		commit(t, s, "me", maps[0])
		if !reducing {
			return maps[0], maps[1]
		}
		commit(t, s, "me", maps[1])
		return maps[0], claim(t, s, "me", 2)[0]
	}
	for _, reducing := range []bool{false, true} {
		oldCommitted, oldRuns := begin(reducing)
		old, err := s.Job(t.Context(), "j")
		must(t, err)
		committed, runs := begin(reducing)
		if now, err := s.Job(t.Context(), "j"); err != nil || reducing && now.Epoch == old.Epoch || now.Stage == old.Stage {
			t.Errorf("epoch and stage come again: before %+v, now %+v, %v", old, now, err)
		}
		if oldRuns.Name() != runs.Name() || oldRuns.Claimed == runs.Claimed {
			t.Fatalf("before %+v, now %+v", oldRuns, runs)
		}
		before := dump(t, s)
		for what, err := range map[string]error{
			"commit":              s.Commit(t.Context(), oldRuns, "me", []byte("m"), nil),
			"commit what is done": s.Commit(t.Context(), oldCommitted, "me", []byte("m"), map[string]int64{"tasks": 1}),
			"fail":                s.Fail(t.Context(), oldRuns, "me", job.Failure{Class: job.ClassReleased}, Limits{}),
			"back up":             s.Backup(t.Context(), oldRuns),
			"renew":               renewOne(t, s, oldRuns, "me"),
		} {
			if !errors.Is(err, ErrStale) && !errors.Is(err, errLost) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if !reducing {
			sameState(t, s, before, dump(t, s), false)
			continue
		}
		if err := s.LoseSegment(t.Context(), oldRuns, "me", committed, job.Failure{}, Limits{}); !errors.Is(err, ErrStale) {
			t.Errorf("lose a segment: %v", err)
		}
		sameState(t, s, before, dump(t, s), false)
		// A present reducer that has read an earlier commit takes back nothing of the present.
		must(t, s.LoseSegment(t.Context(), runs, "me", oldCommitted, job.Failure{}, Limits{}))
		if won, ok, err := s.Winner(t.Context(), "j", committed.Task); err != nil || !ok || won.Attempt != committed {
			t.Errorf("the winner is %+v, %t, %v", won, ok, err)
		}
		inPhase(t, s, "j", job.PhaseReduce)
	}
}

// A task whose output was lost counts once, even if the job fails and is retried before the task is
// done again.
func TestRetryAfterALostSegmentCountsOnce(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		started(t, s, "j", 1, 1)
		mapped := claim(t, s, "me", 1)[0]
		count := map[string]int64{"records": 7}
		must(t, s.Commit(t.Context(), mapped, "me", nil, count))
		must(t, s.LoseSegment(t.Context(), claim(t, s, "me", 1)[0], "me", mapped, job.Failure{}, Limits{}))
		must(t, s.Stop(t.Context(), "j", AnyStage, job.Failed, job.Failure{}))
		must(t, s.Keep(t.Context(), "j", AnyStage, time.Hour))
		must(t, s.Retry(t.Context(), "j", AnyStage))
		must(t, s.Commit(t.Context(), claim(t, s, "me", 1)[0], "me", nil, count))
		inPhase(t, s, "j", job.PhaseReduce)
		if counters, err := s.Counters(t.Context(), "j"); err != nil || counters["records"] != 7 {
			t.Errorf("counters %v, %v", counters, err)
		}
	})
}
