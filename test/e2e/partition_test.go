package e2e

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// An executor that is disconnected from Redis for longer than its lease loses its task to another,
// and works again after it is reconnected.
func TestExecutorIsCutOffFromRedis(t *testing.T) {
	t.Attr("timing", "a fault must come while a job runs")
	t.Parallel()
	c, executors := newCluster(t, 2)
	n := c.slowCounting("no-redis", 80, 250*time.Millisecond)
	n.underway(1)
	cut := executors[0]
	lost := cutOffAtWork(n, cut, c.redisNet)
	n.attempt(lost.Task+" is given to another", func(a attempt) bool { return a.Task == lost.Task && a.Number > lost.Number })
	cut.join(t, c.redisNet)
	n.runs(cut.name)
	n.unfinished()
	n.check()
}

// An executor that is disconnected from the store finishes nothing. Its job completes in spite of
// this, and the executor takes part again after it is reconnected.
func TestExecutorIsCutOffFromMinIO(t *testing.T) {
	t.Attr("timing", "a fault must come while a job runs")
	t.Parallel()
	c, executors := newCluster(t, 2)
	n := c.slowCounting("no-minio", 180, 250*time.Millisecond) // requests that hung may take twice as long
	n.underway(1)
	cut := executors[0]
	n.runs(cut.name)
	cut.leave(t, c.minioNet)
	var before int
	n.until("look how far it is", func(j job) error {
		before = j.Progress.Map.Done
		return nil
	})
	const more = 12 // map tasks of the other executor, which take longer than a lease
	n.until("go on without the executor", func(j job) error {
		if done := j.Progress.Map.Done; done < before+more {
			return fmt.Errorf("%d maps are done, %d were", done, before)
		}
		return nil
	})
	before = committedBy(t, n, cut.name)
	cut.join(t, c.minioNet)
	n.until("see the executor come back", func(job) error {
		if done := committedBy(t, n, cut.name); done <= before {
			return fmt.Errorf("%s has committed %d maps, as before", cut.name, done)
		}
		return nil
	})
	n.check()
}

// cutOffAtWork disconnects an executor from a network while one of its attempts runs, and returns
// the attempt. Between two attempts nothing could be lost: then it tries again.
func cutOffAtWork(n *counting, cut *container, network string) (running attempt) {
	n.c.t.Helper()
	n.until("cut off "+cut.name+" at work", func(job) error {
		n.runs(cut.name)
		cut.leave(n.c.t, network)
		all, err := n.c.attempts(n.c.t.Context(), n.id)
		if err != nil {
			return fmt.Errorf("%w: %w", errNever, err)
		}
		i := slices.IndexFunc(all, func(a attempt) bool { return a.Executor == cut.name && a.State == "running" })
		if i < 0 {
			cut.join(n.c.t, network)
			return errors.New("it was between two attempts")
		}
		running = all[i]
		return nil
	})
	return running
}

// committedBy counts the executor's commits for the job.
func committedBy(t *testing.T, n *counting, executor string) (count int) {
	t.Helper()
	attempts, err := n.c.attempts(t.Context(), n.id)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attempts {
		if a.Executor == executor && a.State == "committed" {
			count++
		}
	}
	return count
}
