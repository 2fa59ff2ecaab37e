package state

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"golang.org/x/sync/errgroup"
)

// Executors work at the same time, wait for each other's announcements and sometimes hand a task
// back, without a controller that sweeps: no hint may get lost.
func TestCrowdOfExecutorsNeedsNoSweep(t *testing.T) {
	onServers(t, func(t *testing.T, s *Store) {
		const executors, maps, reduces = 6, 120, 40
		started(t, s, "j", maps, reduces)
		var crowd errgroup.Group
		for i := range executors {
			executor := job.ExecutorID(fmt.Sprintf("e%d", i))
			rng := rand.New(rand.NewPCG(uint64(i), 0))
			crowd.Go(func() error { return work(t, s, executor, rng) })
		}
		must(t, crowd.Wait())
		got := inPhase(t, s, "j", job.PhasePublish)
		counters, err := s.Counters(t.Context(), "j")
		if err != nil || counters["tasks"] != maps+reduces || got.Map.Running+got.Reduce.Running != 0 {
			t.Fatalf("job %+v, counters %v, %v", got, counters, err)
		}
	})
}

func work(t *testing.T, s *Store, executor job.ExecutorID, rng *rand.Rand) error {
	for idle := 0; idle < 20; {
		claims, err := s.Claim(t.Context(), executor, 1+rng.IntN(3), lease)
		if err != nil {
			return err
		}
		for _, c := range claims {
			idle = 0
			if rng.IntN(4) == 0 {
				err = s.Fail(t.Context(), c.Attempt, executor, job.Failure{Class: job.ClassReleased}, Limits{})
			} else {
				err = s.Commit(t.Context(), c.Attempt, executor, nil, map[string]int64{"tasks": 1})
			}
			if err != nil {
				return err
			}
		}
		if len(claims) > 0 {
			continue
		}
		if j, err := s.Job(t.Context(), "j"); err != nil || j.Phase == job.PhasePublish {
			return err
		}
		idle++
		if err := s.WaitWork(t.Context(), time.Second); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s waited in vain", executor)
}
