package state

import (
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// A retried job keeps what was committed and does the rest again, with higher attempt numbers;
// earlier attempts have no effect.
func TestRetryKeepsCommittedTasks(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		enter(t, s, "kept") // task 0 committed, task 1 was running, task 2 never claimed
		must(t, s.Retry(t.Context(), testJob, AnyStage))
		again := claim(t, s, "me", 2)
		if more, err := s.Claim(t.Context(), "another", 1, lease); err != nil || len(more) > 0 {
			t.Fatalf("more than the 2 tasks that are not committed were claimed: %v %v", more, err)
		}
		for _, a := range again {
			if a.Task == mapAttempt.Task && a.Number <= mapAttempt.Number {
				t.Errorf("%s was given out again under its old number", a)
			}
		}
		if err := s.Commit(t.Context(), known(t, s, mapAttempt), "me", nil, nil); err == nil {
			t.Error("an attempt of before the failure was committed")
		}
		commit(t, s, "me", again...)
		inPhase(t, s, testJob, job.PhaseReduce)
		j, err := s.Job(t.Context(), testJob)
		must(t, err)
		if j.Error != nil || !j.Ended.IsZero() || !j.KeptUntil.IsZero() {
			t.Errorf("the job still shows its failure: %+v", j)
		}
		// It may fail and be kept again.
		must(t, s.Stop(t.Context(), testJob, AnyStage, job.Failed, job.Failure{Message: "no"}))
		must(t, s.Keep(t.Context(), testJob, AnyStage, time.Hour))
	})
}

// The output that a failed job had written is gone, so those tasks are done again; their counters
// are not added again.
func TestRetryWritesAllOutputAgain(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		must(t, errOf(s.Submit(t.Context(), testJob, "test", 0, []byte(`{}`))))
		must(t, s.Start(t.Context(), testJob, Outline{Maps: 1, Reduces: 2}))
		count := map[string]int64{"records": 1}
		for _, a := range claim(t, s, "me", 1) {
			must(t, s.Commit(t.Context(), a, "me", nil, count))
		}
		reduces := claim(t, s, "me", 2)
		must(t, s.Commit(t.Context(), reduces[0], "me", nil, count))
		must(t, s.Stop(t.Context(), testJob, AnyStage, job.Failed, job.Failure{Message: "no"}))
		must(t, s.Keep(t.Context(), testJob, AnyStage, time.Hour))
		must(t, s.Retry(t.Context(), testJob, AnyStage))
		inPhase(t, s, testJob, job.PhaseReduce)
		for _, a := range claim(t, s, "me", 2) {
			if a.Number != 2 {
				t.Errorf("%s: wanted the second attempt", a)
			}
			must(t, s.Commit(t.Context(), a, "me", nil, count))
		}
		inPhase(t, s, testJob, job.PhasePublish)
		counters, err := s.Counters(t.Context(), testJob)
		must(t, err)
		if counters["records"] != 3 {
			t.Errorf("3 tasks with 1 record each counted %d", counters["records"])
		}
	})
}

// A job that failed while it was published has the full time for publishing again.
func TestRetryForgetsTheFirstPublication(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		enter(t, s, "publish")
		if inPhase(t, s, testJob, job.PhasePublish).PublishedFrom.IsZero() {
			t.Fatal("it is published since never")
		}
		must(t, s.Stop(t.Context(), testJob, AnyStage, job.Failed, job.Failure{Message: "no"}))
		must(t, s.Keep(t.Context(), testJob, AnyStage, time.Hour))
		must(t, s.Retry(t.Context(), testJob, AnyStage))
		if from := inPhase(t, s, testJob, job.PhaseReduce).PublishedFrom; !from.IsZero() {
			t.Errorf("it is published since %v", from)
		}
	})
}
