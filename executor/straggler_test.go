package executor_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// An attempt that hangs while others end gets a backup attempt, which wins.
func TestStragglerIsBackedUp(t *testing.T) {
	t.Parallel()
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			g := newGate(place.method, place.suffix)
			stop := c.executor("slow", forEver, func(cfg *executor.Config) { cfg.Open, cfg.Slots = faulty(c.open, g.fault), 1 })
			id := c.submit(place.reducers)
			<-g.reached
			c.executor("quick", forEver, nil)
			c.completed(id)
			counters, err := c.store.Counters(t.Context(), id)
			if err != nil || counters["backup_attempts"] != 1 || counters["backup_attempts_won"] != 1 {
				t.Errorf("counters %v, %v", counters, err)
			}
			close(g.open)
			stop()
			c.checkWritten(place.reducers)
		})
	}
}

// The attempts of a cancelled job end at once, long before the next heartbeat.
func TestCancellingEndsAttemptsAtOnce(t *testing.T) {
	t.Attr("timing", "an attempt must end within a second")
	t.Parallel()
	c := newCluster(t)
	reached, stopped := make(chan struct{}, 9), make(chan struct{}, 9)
	listens := newSight("xread")
	c.executor("one", forEver, func(cfg *executor.Config) {
		cfg.Store = c.connect(&redis.Options{}, listens)
		cfg.Open = faulty(c.open, func(ctx context.Context, method, _ string) error {
			if method == "create" {
				reached <- struct{}{}
				<-ctx.Done()
				stopped <- struct{}{}
			}
			return ctx.Err()
		})
	})
	id := c.submit(1)
	<-reached
	<-listens.seen
	begun := time.Now()
	if err := c.store.Stop(t.Context(), id, state.AnyStage, job.Cancelled, job.Failure{Message: "enough"}); err != nil {
		t.Fatal(err)
	}
	<-stopped
	if took := time.Since(begun); took > time.Second {
		t.Errorf("the attempt went on for %v", took)
	}
	c.wait(id, func(j state.Job) bool { return j.Phase == job.PhaseEnded })
}

// An attempt that makes no progress is ended, though its executor works, and the task is
// reassigned.
func TestHangingAttemptIsEnded(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := newGate("get", "in.txt")
	c.executor("one", soon, func(cfg *executor.Config) { cfg.Open, cfg.Slots = faulty(c.open, g.fault), 1 })
	timeout := job.Duration(time.Second)
	spec := c.spec(1)
	spec.TaskTimeout = &timeout
	id := c.submitSpec(spec)
	<-g.reached
	c.executor("two", soon, nil)
	j := c.completed(id)
	close(g.open)
	failures, err := c.store.Failures(t.Context(), id)
	if err != nil || j.Map.Failed != 1 || failures[0].Class != job.ClassStuck {
		t.Errorf("%d attempts failed, %+v, %v", j.Map.Failed, failures, err)
	}
}
