package state

import (
	"testing"
	"time"
)

// A retried job keeps what was committed, does the rest again with higher attempt numbers, and
// owes nothing to the attempts of before.
func TestRetryKeepsCommittedTasks(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		enter(t, s, "kept") // task 0 committed, task 1 was running, task 2 never claimed
		must(t, s.Retry(t.Context(), testJob))
		again := claim(t, s, "me", 2)
		if more, err := s.Claim(t.Context(), "another", 1, lease); err != nil || len(more) > 0 {
			t.Fatalf("more than the 2 tasks that are not committed were claimed: %v %v", more, err)
		}
		for _, a := range again {
			if a.Task == mapAttempt.Task && a.Number <= mapAttempt.Number {
				t.Errorf("%s was given out again under its old number", a)
			}
		}
		if err := s.Commit(t.Context(), mapAttempt, "me", nil, nil); err == nil {
			t.Error("an attempt of before the failure was committed")
		}
		commit(t, s, "me", again...)
		inPhase(t, s, testJob, PhaseReduce)
		job, err := s.Job(t.Context(), testJob)
		must(t, err)
		if job.Error != nil || !job.Ended.IsZero() || !job.KeptUntil.IsZero() {
			t.Errorf("the job still shows its failure: %+v", job)
		}
		// It may fail, and be kept, again.
		must(t, s.Stop(t.Context(), testJob, Failed, Failure{Message: "no"}))
		must(t, s.Keep(t.Context(), testJob, time.Hour))
	})
}
