package state

import (
	"errors"
	"testing"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/test/testservices"
)

func TestRepeatedCommitCountsOnce(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		started(t, s, "j", 1, 1)
		a := claim(t, s, "me", 1)[0]
		for range 3 { // the reply was lost
			commit(t, s, "me", a)
		}
		if got := inPhase(t, s, "j", job.PhaseReduce); got.Map.Done != 1 {
			t.Fatalf("maps: %+v", got.Map)
		}
		counters, err := s.Counters(t.Context(), "j")
		if err != nil || counters["tasks"] != 1 {
			t.Fatalf("counters %v, %v", counters, err)
		}
	})
}

// A counter that overflows must not leave half a commit behind.
func TestCounterOverflowDoesNotUndoACommit(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		started(t, s, "j", 2, 0)
		for _, a := range claim(t, s, "me", 2) {
			must(t, s.Commit(t.Context(), a, "me", nil, map[string]int64{"huge": 1<<63 - 1, "small": 1}))
		}
		if got := inPhase(t, s, "j", job.PhasePublish); got.Map.Done != 2 {
			t.Fatalf("maps: %+v", got.Map)
		}
		counters, err := s.Counters(t.Context(), "j")
		if err != nil || counters["small"] != 2 || counters["huge"] != 1<<63-1 || counters["overflowed_counters"] != 1 {
			t.Fatalf("counters %v, %v", counters, err)
		}
	})
}

func TestRenewAfterScriptsAreGone(t *testing.T) {
	t.Parallel()
	s := open(t, testservices.NewRedis(t).Addr)
	var beats []Beat
	for _, id := range []job.ID{"one", "two"} {
		started(t, s, id, 1, 0)
		beats = append(beats, Beat{Attempt: claim(t, s, "me", 1)[0], Progress: 7})
	}
	for range 2 {
		must(t, s.rdb.ScriptFlush(t.Context()).Err())
		lost, _, err := s.Renew(t.Context(), "me", lease, beats)
		if err != nil || len(lost) > 0 {
			t.Fatalf("lost %v, %v", lost, err)
		}
	}
	running, err := s.Running(t.Context(), "two")
	if err != nil || len(running) != 1 || running[0].Progress != 7 {
		t.Fatalf("running %+v, %v", running, err)
	}
}

func TestRestartOfADurableRedis(t *testing.T) {
	t.Parallel()
	server := testservices.NewRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	s := open(t, server.Addr)
	started(t, s, "j", 2, 1)
	attempts := claim(t, s, "me", 2)
	commit(t, s, "me", attempts[0])
	before := dump(t, s)
	server.Kill(t)
	server.Restart(t)
	sameState(t, s, before, dump(t, s), false)
	lost, _, err := s.Renew(t.Context(), "me", lease, []Beat{{Attempt: attempts[1]}})
	if err != nil || len(lost) > 0 {
		t.Fatalf("lost %v, %v", lost, err)
	}
	commit(t, s, "me", attempts...) // the first one again
	inPhase(t, s, "j", job.PhaseReduce)
}

func TestRestartOfAForgetfulRedis(t *testing.T) {
	t.Parallel()
	server := testservices.NewRedis(t)
	s := open(t, server.Addr)
	started(t, s, "j", 1, 0)
	a := claim(t, s, "me", 1)[0]
	server.Kill(t)
	server.Restart(t)
	lost, _, err := s.Renew(t.Context(), "me", lease, []Beat{{Attempt: a}})
	if err != nil || len(lost) != 1 {
		t.Fatalf("lost %v, %v", lost, err)
	}
	started(t, s, "j", 1, 0)     // submitted again: the old attempt's number is used again
	b := claim(t, s, "me", 1)[0] // even by the same executor
	if b.Name() != a.Name() || b.Claimed == a.Claimed {
		t.Fatalf("claimed %+v, then %+v", a, b)
	}
	if err := renewOne(t, s, a, "me"); !errors.Is(err, errLost) {
		t.Fatalf("renewed the attempt of before the restart: %v", err)
	}
	if err := s.Commit(t.Context(), a, "me", nil, nil); !errors.Is(err, ErrStale) {
		t.Fatalf("committed the attempt of before the restart: %v", err)
	}
	if err := s.Fail(t.Context(), a, "me", job.Failure{Class: job.ClassUser}, Limits{}); !errors.Is(err, ErrStale) {
		t.Fatalf("failed the attempt of before the restart: %v", err)
	}
	commit(t, s, "me", b)
	if err := s.Commit(t.Context(), a, "me", nil, nil); !errors.Is(err, ErrStale) {
		t.Fatalf("committed the attempt of before the restart after the other: %v", err)
	}
}
