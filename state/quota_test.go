package state

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// A submitter has up to the limit of unended jobs, however many are admitted at the same time; a
// job that ends makes room.
func TestAdmission(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		admit := func(id job.ID) bool {
			t.Helper()
			ok, err := s.Admit(ctx, "bob", id, 2)
			must(t, err)
			return ok
		}
		for _, id := range []job.ID{"a", "b"} {
			for range 2 { // a repetition is not another job
				if !admit(id) {
					t.Errorf("%s has no room", id)
				}
			}
			must(t, errOf(s.SubmitFor(ctx, "bob", id, "", 0, []byte(`{}`))))
		}
		if admit("c") {
			t.Error("there is room for a third job")
		}
		if ok, err := s.Admit(ctx, "alice", "c", 2); !ok || err != nil {
			t.Errorf("another's jobs take her room: %v", err)
		}
		must(t, s.Stop(ctx, "a", AnyStage, job.Cancelled, job.Failure{}))
		if !admit("c") || admit("d") {
			t.Error("one job has ended: there is room for one")
		}
		// A job that was admitted and never submitted frees its room after a while.
		must(t, s.rdb.ZIncrBy(ctx, s.submitterKey("bob"), -float64(2*admissionGrace.Milliseconds()), "c").Err())
		if !admit("d") {
			t.Error("a job that never came takes room for ever")
		}
	})
}

func TestOfManyThatAskAtOnceSoManyAreAdmitted(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		const most, askers = 5, 40
		answers := make(chan bool)
		for i := range askers {
			go func() {
				ok, err := s.Admit(t.Context(), "bob", job.ID(fmt.Sprint(i)), most)
				if err != nil {
					t.Error(err)
				}
				answers <- ok
			}()
		}
		admitted := 0
		for range askers {
			if <-answers {
				admitted++
			}
		}
		if admitted != most {
			t.Errorf("%d were admitted", admitted)
		}
	})
}

// A job that Redis has lost counts again once it is restored.
func TestRestoredJobsAreAdmitted(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		must(t, s.Restore(ctx, "bob", "a", "", 0, []byte(`{}`), time.Now()))
		if ok, err := s.Admit(ctx, "bob", "b", 1); ok || err != nil {
			t.Errorf("%t %v", ok, err)
		}
		if job := inPhase(t, s, "a", job.PhasePlan); job.SubmittedBy != "bob" {
			t.Errorf("it is of %q", job.SubmittedBy)
		}
	})
}

func TestSummaries(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		enter(t, s, "map")
		must(t, errOf(s.SubmitFor(ctx, "bob", "other", "name", 7, []byte(`{"program":"grep","output":"s3://b/o"}`))))
		jobs, err := s.Summaries(ctx, []job.ID{"other", "none", testJob})
		must(t, err)
		if len(jobs) != 2 {
			t.Fatalf("%+v", jobs)
		}
		for _, job := range jobs {
			whole, err := s.Job(ctx, job.ID)
			must(t, err)
			if len(job.Spec) > 0 {
				t.Errorf("%s was read with its spec", job.ID)
			}
			whole.Spec, job.Spec = nil, nil
			if got, want := fmt.Sprintf("%+v", job), fmt.Sprintf("%+v", whole); got != want {
				t.Errorf("read as\n%s, whole as\n%s", got, want)
			}
		}
		if job := jobs[0]; job.ID != "other" || job.SubmittedBy != "bob" || job.Program != "grep" || job.Output != "s3://b/o" {
			t.Errorf("%+v", job)
		}
		// A job of an earlier version has neither of these fields.
		must(t, s.rdb.HDel(ctx, s.jobKey("other"), "program", "output", "by").Err())
		jobs, err = s.Summaries(ctx, []job.ID{"other"})
		must(t, err)
		if len(jobs) != 1 || jobs[0].Program != "grep" || jobs[0].Output != "s3://b/o" {
			t.Errorf("%+v", jobs)
		}
	})
}

// Only an ended job is erased, and then nothing of it remains.
func TestErase(t *testing.T) {
	onServers(t, func(t *testing.T, base *Store) {
		for state, want := range map[string]error{
			"none": ErrNoJob, "plan": ErrIllegal, "map": ErrIllegal, "reduce": ErrIllegal, "publish": ErrIllegal,
			"failed": ErrIllegal, "kept": ErrIllegal, "cancelled": ErrIllegal, "completed": ErrIllegal,
		} {
			s := New(base.rdb, base.namespace+state)
			enter(t, s, state)
			before := dump(t, s)
			if err := s.Erase(t.Context(), testJob); !errors.Is(err, want) {
				t.Errorf("%s: %v", state, err)
			}
			sameState(t, s, before, dump(t, s), false)
		}
		s := New(base.rdb, base.namespace+"ended")
		enter(t, s, "ended")
		must(t, s.Erase(t.Context(), testJob))
		for _, key := range keys(t, s) {
			if strings.Contains(key, string(testJob)) || key == s.jobsKey() {
				t.Errorf("%s is left: %s", key, read(t, s, key))
			}
		}
		if err := s.Erase(t.Context(), testJob); !errors.Is(err, ErrNoJob) {
			t.Errorf("again: %v", err)
		}
	})
}

func TestPrefixed(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		for i := range 300 {
			must(t, errOf(s.Submit(t.Context(), job.ID(fmt.Sprintf("01m8%04d", i)), "", 0, []byte(`{}`))))
		}
		must(t, errOf(s.Submit(t.Context(), "k-00ff", "", 0, []byte(`{}`))))
		must(t, s.rdb.Del(t.Context(), s.jobKey("01m80010")).Err())
		for prefix, want := range map[job.ID]int{"k-00": 1, "01m8001": 9, "01m80299": 1, "01m9": 0, "01m8": 20, "*": 0, "01m8?": 0} {
			ids, err := s.Prefixed(t.Context(), prefix, 20)
			must(t, err)
			if len(ids) != want {
				t.Errorf("%s: %v", prefix, ids)
			}
		}
	})
}

// However many names a program's counters have, those that come first in order are kept, with
// complete sums, in whatever order their attempts commit.
func TestCountersOfAJobAreBounded(t *testing.T) {
	onServers(t, func(t *testing.T, base *Store) {
		const tasks = 6
		var kept []map[string]int64
		for _, order := range [][]int{{0, 1, 2, 3, 4, 5}, {5, 3, 1, 4, 0, 2}} {
			s := New(base.rdb, base.namespace+fmt.Sprint(order))
			started(t, s, testJob, tasks, 0)
			claims, err := s.Claim(t.Context(), "me", tasks, lease)
			must(t, err)
			attempts := map[int]job.AttemptID{}
			for _, c := range claims {
				attempts[c.Attempt.Task.Index] = c.Attempt
			}
			for _, index := range order {
				counters := map[string]int64{"map_input_records": 1}
				for i := range 1000 {
					counters[fmt.Sprintf("user:%05d", i*7+index)] = 1
				}
				must(t, s.Commit(t.Context(), attempts[index], "me", []byte("m"), counters))
			}
			counters, err := s.Counters(t.Context(), testJob)
			must(t, err)
			if counters["map_input_records"] != tasks || counters["dropped_counters"] == 0 {
				t.Errorf("%d records, %d dropped", counters["map_input_records"], counters["dropped_counters"])
			}
			maps.DeleteFunc(counters, func(name string, _ int64) bool { return !strings.HasPrefix(name, "user:") })
			if len(counters) != 1000 {
				t.Errorf("%d names", len(counters))
			}
			kept = append(kept, counters)
			inPhase(t, s, testJob, job.PhasePublish)
		}
		if !maps.Equal(kept[0], kept[1]) {
			t.Errorf("it depends on the order of commits: %v", slices.Sorted(maps.Keys(kept[0]))[:10])
		}
	})
}
