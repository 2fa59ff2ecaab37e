package state

import (
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/bucketmill/bucketmill/job"
)

// driven returns a store on a server whose clock stands still except while pass lets time go by.
func driven(t *testing.T) (s *Store, pass func(time.Duration)) {
	server := miniredis.RunT(t)
	clock := time.Now()
	server.SetTime(clock)
	return open(t, server.Addr()), func(d time.Duration) {
		clock = clock.Add(d)
		server.SetTime(clock)
		server.FastForward(d)
	}
}

func TestAttemptWithoutProgressIsEnded(t *testing.T) {
	s, pass := driven(t)
	must(t, errOf(s.Submit(t.Context(), "j", "test", 0, []byte(`{}`))))
	must(t, s.Start(t.Context(), "j", Outline{Maps: 2, Reduces: 1, TaskTimeout: time.Minute, MaxAttempts: 2}))
	for round := range 2 {
		attempts := claim(t, s, "me", 2)
		slow, hangs := attempts[0], attempts[1]
		for range 7 { // the leases live, and one attempt makes progress
			pass(lease / 3)
			lost, _, err := s.Renew(t.Context(), "me", lease, []Beat{{Attempt: slow, Progressed: true}, {Attempt: hangs, Progress: 700}})
			if err != nil || len(lost) > 0 {
				t.Fatalf("lost %v, %v", lost, err)
			}
		}
		swept, err := s.Sweep(t.Context(), "j", Limits{})
		if err != nil || swept.Lost != 1 {
			t.Fatalf("swept %+v, %v", swept, err)
		}
		if round == 0 {
			lost, _, err := s.Renew(t.Context(), "me", lease, []Beat{{Attempt: slow}, {Attempt: hangs}})
			if err != nil || len(lost) != 1 || lost[0] != hangs {
				t.Fatalf("lost %v, %v", lost, err)
			}
			must(t, s.Fail(t.Context(), slow, "me", job.Failure{Class: job.ClassReleased}, Limits{}))
		}
	}
	j := inPhase(t, s, "j", job.PhaseCleanup)
	if j.State != job.Failed || j.Error.Class != job.ClassStuck || j.Error.Attempt != "m1.2" ||
		!strings.Contains(j.Error.Message, "no progress for 60 s (--task-timeout)") {
		t.Fatalf("the job ended by %+v", j.Error)
	}
}

func TestTaskThatKillsExecutorsIsCalledPoison(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		started(t, s, "j", 1, 0)
		for range 3 {
			expire(t, s, claim(t, s, "me", 1)[0])
			_, err := s.Sweep(t.Context(), "j", Limits{Lost: 3})
			must(t, err)
		}
		j := inPhase(t, s, "j", job.PhaseCleanup)
		if j.Error.Class != job.ClassLost || !strings.HasPrefix(j.Error.Message, "task m0 is poison: 3 executors died") {
			t.Fatalf("the job ended by %+v", j.Error)
		}
	})
}

func TestExecutorLeavesWhatItFailedAtToOthers(t *testing.T) {
	s, pass := driven(t)
	started(t, s, "j", 1, 0)
	limits := Limits{Shun: time.Minute}
	must(t, s.Fail(t.Context(), claim(t, s, "me", 1)[0], "me", job.Failure{Class: job.ClassUser}, limits))
	claim(t, s, "me", 0)
	a := claim(t, s, "another", 1)[0]
	must(t, s.Fail(t.Context(), a, "another", job.Failure{Class: job.ClassUser}, limits))
	a = claim(t, s, "me", 1)[0] // only the last failure counts
	must(t, s.Fail(t.Context(), a, "me", job.Failure{Class: job.ClassReleased}, limits))
	a = claim(t, s, "me", 1)[0] // handing back is not a failure
	must(t, s.Fail(t.Context(), a, "me", job.Failure{Class: job.ClassUser}, limits))
	claim(t, s, "me", 0)
	pass(time.Minute) // no other executor came
	claim(t, s, "me", 1)
}

// A job whose ready tasks are for others must not hide the jobs behind it.
func TestJobsBehindShunnedOnesAreServed(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		ids := []job.ID{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}
		for _, id := range ids {
			started(t, s, id, 1, 0)
		}
		for range ids[1:] {
			must(t, s.Fail(t.Context(), claim(t, s, "me", 1)[0], "me", job.Failure{Class: job.ClassUser}, Limits{Shun: time.Minute}))
		}
		if a := claim(t, s, "me", 1)[0]; a.Number != 1 {
			t.Fatalf("claimed %v", a)
		}
	})
}

func TestBackupAttemptsAreCounted(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		started(t, s, "j", 2, 0)
		place, err := s.NewsPlace(t.Context())
		must(t, err)
		attempts := claim(t, s, "me", 2)
		for _, a := range attempts {
			must(t, s.Backup(t.Context(), a))
		}
		backups := claim(t, s, "another", 2)
		commit(t, s, "me", attempts[0])
		commit(t, s, "another", backups[1])
		counters, err := s.Counters(t.Context(), "j")
		if err != nil || counters["backup_attempts"] != 2 || counters["backup_attempts_won"] != 1 {
			t.Fatalf("counters %v, %v", counters, err)
		}
		jobs, _, err := s.WaitNews(t.Context(), place, time.Second)
		if err != nil || len(jobs) != 2 || jobs[0] != "j" {
			t.Fatalf("news %v, %v", jobs, err)
		}
	})
}

func TestNewsTellWhenAJobIsStopped(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		place, err := s.NewsPlace(t.Context())
		must(t, err)
		if jobs, same, err := s.WaitNews(t.Context(), place, 10*time.Millisecond); err != nil || len(jobs) > 0 || same != place {
			t.Fatalf("news %v at %s, %v", jobs, same, err)
		}
		started(t, s, "j", 1, 0)
		told := make(chan error, 1)
		go func() {
			_, _, err := s.WaitNews(t.Context(), place, 10*time.Second)
			told <- err
		}()
		must(t, s.Stop(t.Context(), "j", AnyStage, job.Cancelled, job.Failure{}))
		select {
		case err := <-told:
			must(t, err)
		case <-time.After(5 * time.Second):
			t.Fatal("nobody was told")
		}
	})
}

func TestVoidAttemptsAreRemembered(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		started(t, s, "j", 3, 0)
		attempts := claim(t, s, "me", 3)
		commit(t, s, "me", attempts[0])
		must(t, s.Fail(t.Context(), attempts[1], "me", job.Failure{Class: job.ClassUser}, Limits{}))
		must(t, s.Stop(t.Context(), "j", AnyStage, job.Cancelled, job.Failure{}))
		void, err := s.Void(t.Context(), "j")
		if err != nil || len(void) != 2 || void[0] != attempts[1] || void[1] != attempts[2] {
			t.Fatalf("void are %+v, %v", void, err)
		}
	})
}

func TestRestoredJobIsNotStartedByWhoPlannedItBefore(t *testing.T) {
	s, pass := driven(t)
	must(t, errOf(s.Submit(t.Context(), "j", "test", 0, []byte(`{}`))))
	before := inPhase(t, s, "j", job.PhasePlan)
	must(t, s.Drop(t.Context(), "j"))
	pass(time.Millisecond)
	must(t, s.Restore(t.Context(), "", "j", "test", 0, []byte(`{}`), before.Submitted))
	after := inPhase(t, s, "j", job.PhasePlan)
	if !after.Restored || before.Restored || !after.Submitted.Equal(before.Submitted) || after.Born <= before.Born {
		t.Fatalf("before %+v, after %+v", before, after)
	}
	if err := s.Start(t.Context(), "j", Outline{Maps: 1, Stage: before.Stage}); err == nil {
		t.Fatal("started")
	}
	must(t, s.Start(t.Context(), "j", Outline{Maps: 1, Stage: after.Stage}))
}
