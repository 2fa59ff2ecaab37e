package state

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/test/testservices"
)

func TestMemoryPerTask(t *testing.T) {
	t.Parallel()
	const (
		tasks = 100_000
		page  = 1000
		most  = 300 // bytes per task
	)
	s := open(t, testservices.NewRedis(t).Addr)
	started(t, s, "warm-up", 1, 0)
	commit(t, s, "executor-host-01", claim(t, s, "executor-host-01", 1)...)
	empty := usedMemory(t, s)
	started(t, s, "j", tasks, 16)
	t.Logf("submitted and planned: %d bytes in all", usedMemory(t, s)-empty)
	manifest := []byte(strings.Repeat("x", 70)) // offsets of 16 segments
	for range tasks / page {
		attempts := claim(t, s, "executor-host-01", page)
		_, err := s.rdb.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			for _, a := range attempts { // like Commit, without waiting for each
				args := append(attemptArgs(a), "executor-host-01", a.Claimed, manifest, "records", 12345, "bytes", 67890)
				commitScript.EvalSha(t.Context(), p, s.jobKeys("j"), args...)
			}
			return nil
		})
		must(t, err)
	}
	inPhase(t, s, "j", job.PhaseReduce)
	each := float64(usedMemory(t, s)-empty) / tasks
	t.Logf("all map tasks committed: %.0f bytes a task", each)
	if each > most {
		t.Errorf("%.0f bytes a task, more than %d", each, most)
	}
}

// A sweep blocks Redis while it reads every running attempt.
func TestSweepOfManyRunningAttempts(t *testing.T) {
	s := open(t, testservices.NewRedis(t).Addr)
	const running = 10_000
	started(t, s, "j", running, 0)
	before := usedMemory(t, s)
	claim(t, s, "me", running)
	t.Logf("running: %d bytes an attempt", (usedMemory(t, s)-before)/running)
	must(t, sweepScript.Load(t.Context(), s.rdb).Err())
	must(t, s.rdb.(*redis.Client).ConfigResetStat(t.Context()).Err())
	swept, err := s.Sweep(t.Context(), "j", Limits{})
	if err != nil || swept.Lost != 0 {
		t.Fatalf("swept %+v, %v", swept, err)
	}
	stats, err := s.rdb.Info(t.Context(), "commandstats").Result()
	must(t, err)
	_, stat, _ := strings.Cut(stats, "cmdstat_evalsha:")
	var calls, micros int
	if _, err := fmt.Sscanf(stat, "calls=%d,usec=%d", &calls, &micros); err != nil {
		t.Fatalf("read %q: %v", stat, err)
	}
	t.Logf("sweep of %d running attempts: %d calls of %d µs", running, calls, micros/calls)
	if calls < 2 {
		t.Errorf("%d running attempts were swept in %d call", running, calls)
	}
}

func usedMemory(t *testing.T, s *Store) int {
	t.Helper()
	info, err := s.rdb.Info(t.Context(), "memory").Result()
	must(t, err)
	_, rest, _ := strings.Cut(info, "used_memory:")
	text, _, _ := strings.Cut(rest, "\r\n")
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}
