package state

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

func TestJobToTheEnd(t *testing.T) {
	for name, sizes := range map[string]struct{ maps, reduces int }{
		"map and reduce": {5, 3},
		"map only":       {4, 0},
		"one of each":    {1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			onServers(t, func(t *testing.T, s *Store) {
				started(t, s, "j", sizes.maps, sizes.reduces)
				for i, a := range claim(t, s, "me", sizes.maps) {
					if got := inPhase(t, s, "j", job.PhaseMap); got.State != job.Mapping || got.Map.Done != i || got.Map.Running != sizes.maps-i {
						t.Fatalf("with %d maps done: %+v", i, got)
					}
					commit(t, s, "me", a)
				}
				if sizes.reduces > 0 {
					got := inPhase(t, s, "j", job.PhaseReduce)
					if got.State != job.Reducing || got.MapsDone.IsZero() || got.Map.Done != sizes.maps {
						t.Fatalf("with all maps done: %+v", got)
					}
					commit(t, s, "me", claim(t, s, "me", sizes.reduces)...)
				}
				inPhase(t, s, "j", job.PhasePublish)
				must(t, s.Finish(t.Context(), "j", AnyStage))
				got := inPhase(t, s, "j", job.PhaseCleanup)
				if got.State != job.Completed || got.Ended.IsZero() || got.Planned.IsZero() || got.PublishedFrom.IsZero() {
					t.Fatalf("completed: %+v", got)
				}
				counters, err := s.Counters(t.Context(), "j")
				if err != nil || counters["tasks"] != int64(sizes.maps+sizes.reduces) {
					t.Fatalf("counters %v, %v", counters, err)
				}
				manifests := 0
				for c, err := range s.Committed(t.Context(), "j", job.Map) {
					if err != nil || string(c.Manifest) != "manifest of "+c.Attempt.Name() || c.Executor != "me" {
						t.Fatalf("committed %+v, %v", c, err)
					}
					manifests++
				}
				if manifests != sizes.maps {
					t.Fatalf("%d manifests", manifests)
				}
			})
		})
	}
}

func TestForgetLeavesHistoryOrNothing(t *testing.T) {
	onServers(t, func(t *testing.T, base *Store) {
		for name, keep := range map[string]time.Duration{"history": time.Hour, "nothing": 0} {
			s := New(base.rdb, base.namespace+name)
			started(t, s, "j", 3, 1)
			attempts := claim(t, s, "me", 3)
			commit(t, s, "me", attempts[0])
			must(t, s.Fail(t.Context(), attempts[1], "me", job.Failure{Class: job.ClassUser}, Limits{}))
			must(t, s.Stop(t.Context(), "j", AnyStage, job.Cancelled, job.Failure{}))
			must(t, s.Forget(t.Context(), "j", AnyStage, keep))
			history := map[string]bool{s.jobKey("j"): true, s.countersKey("j"): true, s.errorsKey("j"): true, s.eventsKey("j"): true}
			for key, content := range dump(t, s) {
				switch key {
				case s.jobsKey(), s.wakeKey(), s.controlKey(), s.newsKey():
					continue
				}
				if !history[key] || keep == 0 || !strings.Contains(content, " expires ") {
					t.Errorf("%s: left %s: %s", name, key, content)
				}
			}
		}
	})
}

func TestLostSegmentSendsTheJobBack(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		started(t, s, "j", 2, 2)
		maps := claim(t, s, "me", 2)
		commit(t, s, "me", maps...)
		reduces := claim(t, s, "me", 2)
		lose := func(a, segment job.AttemptID) error {
			return s.LoseSegment(t.Context(), a, "me", segment, job.Failure{Message: "not there"}, Limits{})
		}
		epoch := inPhase(t, s, "j", job.PhaseReduce).Epoch
		must(t, lose(reduces[0], maps[1]))
		got := inPhase(t, s, "j", job.PhaseMap)
		if got.Map.Done != 1 || got.State != job.Mapping {
			t.Fatalf("after the loss: %+v", got)
		}
		planned := got.Planned
		must(t, lose(reduces[1], maps[1])) // another attempt has found it, too: counts once
		if got := inPhase(t, s, "j", job.PhaseMap); got.Map.Failed != 1 {
			t.Fatalf("after the second reducer told: %+v", got)
		}
		again := claim(t, s, "me", 1)
		if again[0].Task != maps[1].Task || again[0].Number != 2 {
			t.Fatalf("to be done again: %v", again)
		}
		commit(t, s, "me", again...)
		got = inPhase(t, s, "j", job.PhaseReduce)
		if got.Epoch <= epoch {
			t.Errorf("epoch %d after %d", got.Epoch, epoch)
		}
		if !got.Planned.Equal(planned) {
			t.Errorf("planned at %v, then at %v", planned, got.Planned)
		}
		reduces = claim(t, s, "me", 2)
		if reduces[0].Number != 2 {
			t.Fatalf("reduce attempts %v", reduces)
		}
		commit(t, s, "me", reduces...)
		inPhase(t, s, "j", job.PhasePublish)
		counters, err := s.Counters(t.Context(), "j")
		if err != nil || counters["tasks"] != 4 {
			t.Errorf("counters %v, %v: a task that was done again counts once", counters, err)
		}
	})
}

func TestLimitOfEachClassEndsTheJobWithThatFailure(t *testing.T) {
	limits := Limits{User: 2, Infra: 3, Lost: 2, Segment: 2, Backoff: time.Nanosecond}
	for class, test := range map[job.Class]struct {
		limit int
		fail  func(t *testing.T, s *Store, a job.AttemptID)
	}{
		job.ClassUser:  {2, failing(job.ClassUser, limits)},
		job.ClassInfra: {3, failing(job.ClassInfra, limits)},
		job.ClassLost: {2, func(t *testing.T, s *Store, a job.AttemptID) {
			expire(t, s, a)
			_, err := s.Sweep(t.Context(), a.Job, limits)
			must(t, err)
		}},
		job.ClassSegment: {2, func(t *testing.T, s *Store, a job.AttemptID) {
			commit(t, s, "me", a)
			reduce := claim(t, s, "me", 1)[0]
			must(t, s.LoseSegment(t.Context(), reduce, "me", a, job.Failure{Message: "segment 2"}, limits))
		}},
	} {
		t.Run(string(class), func(t *testing.T) {
			onServers(t, func(t *testing.T, s *Store) {
				started(t, s, "j", 1, 1)
				for number := 1; number <= test.limit; number++ {
					a := claimWhenReady(t, s, "me")
					if a.Number != number {
						t.Fatalf("claimed %v as attempt %d", a, number)
					}
					test.fail(t, s, a)
				}
				got := inPhase(t, s, "j", job.PhaseCleanup)
				name := fmt.Sprintf("m0.%d", test.limit)
				if got.State != job.Failed || got.Error == nil || got.Error.Class != class || got.Error.Attempt != name || got.Error.Executor != "me" {
					t.Fatalf("job is %s by %+v", got.State, got.Error)
				}
				failures, err := s.Failures(t.Context(), "j")
				if err != nil || len(failures) != test.limit || failures[test.limit-1] != *got.Error {
					t.Fatalf("failures %+v, %v", failures, err)
				}
			})
		})
	}
}

func TestHandingBackIsNoFailure(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		started(t, s, "j", 1, 0)
		for range 10 {
			failing(job.ClassReleased, Limits{User: 1, Infra: 1})(t, s, claim(t, s, "me", 1)[0])
		}
		if got := inPhase(t, s, "j", job.PhaseMap); got.Map.Failed != 0 {
			t.Fatalf("failures: %+v", got.Map)
		}
	})
}

// The servers' clocks cannot be changed, so the test reads the task's own time and waits for it.
func TestBackoffOfInfrastructureFailures(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		started(t, s, "j", 1, 0)
		limits := Limits{Backoff: 100 * time.Millisecond}
		a := claim(t, s, "me", 1)[0]
		before := serverTime(t, s)
		must(t, s.Fail(t.Context(), a, "me", job.Failure{Class: job.ClassInfra}, limits))
		at, err := s.rdb.ZScore(t.Context(), s.jobKey("j")+":retry:m", "0").Result()
		must(t, err)
		wait := time.UnixMilli(int64(at)).Sub(before)
		if wait < limits.Backoff/2-time.Millisecond || wait > limits.Backoff+5*time.Second {
			t.Fatalf("rests for %v", wait)
		}
		a = claimWhenReady(t, s, "me")
		if now := serverTime(t, s); now.Before(time.UnixMilli(int64(at))) || a.Number != 2 {
			t.Fatalf("%v claimed at %v, ready at %.0f", a, now.UnixMilli(), at)
		}
	})
}

func serverTime(t *testing.T, s *Store) time.Time {
	t.Helper()
	now, err := s.rdb.(*redis.Client).Time(t.Context()).Result()
	must(t, err)
	return now
}

func failing(class job.Class, limits Limits) func(t *testing.T, s *Store, a job.AttemptID) {
	return func(t *testing.T, s *Store, a job.AttemptID) {
		must(t, s.Fail(t.Context(), a, "me", job.Failure{Class: class, Message: "oops"}, limits))
	}
}

// claimWhenReady sweeps, as a controller does, until a task can be claimed.
func claimWhenReady(t *testing.T, s *Store, executor job.ExecutorID) job.AttemptID {
	t.Helper()
	var got []Claim
	until(t, "a task is ready", func(ctx context.Context) bool {
		_, err := s.Sweep(ctx, "j", Limits{})
		must(t, err)
		got, err = s.Claim(ctx, executor, 1, lease)
		must(t, err)
		return len(got) == 1
	})
	return got[0].Attempt
}
