package e2e

import (
	"fmt"
	"testing"
	"time"
)

// The job with the highest priority runs first, and jobs with equal priority take turns.
func TestJobsTakeTurnsByPriorityAndFairly(t *testing.T) {
	t.Attr("timing", "jobs must be submitted while others run")
	t.Parallel()
	c, _ := newCluster(t, 1)
	// The others are planned while this job runs, so that all are ready when it ends.
	blocker := c.slowCounting("blocker", 20, 250*time.Millisecond, withPriority(100))
	blocker.underway(1)
	const mapTasks, pause = 10, 100 * time.Millisecond
	low := c.slowCounting("low", mapTasks, pause, withPriority(-1))
	equals := []*counting{c.slowCounting("equal-a", mapTasks, pause), c.slowCounting("equal-b", mapTasks, pause)}
	high := c.slowCounting("high", mapTasks, pause, withPriority(1))
	for _, n := range []*counting{low, equals[0], equals[1], high} {
		n.until("be planned", func(j job) error {
			if j.Progress.Map.Total != mapTasks {
				return fmt.Errorf("it has %d maps", j.Progress.Map.Total)
			}
			return nil
		})
	}
	blocker.unfinished()

	// There is one slot: when a job has begun, all tasks of the jobs before it are done.
	begun := func(n *counting) bool {
		j, err := c.job(t.Context(), n.id)
		if err != nil {
			t.Fatal(err)
		}
		return j.Progress.Map.Done+j.Progress.Map.Running > 0
	}
	done := func(n *counting) int {
		j, err := c.job(t.Context(), n.id)
		if err != nil {
			t.Fatal(err)
		}
		return j.Progress.Map.Done
	}
	low.until("be the last one", func(j job) error {
		lowBegun := j.Progress.Map.Done+j.Progress.Map.Running > 0
		for _, n := range equals {
			if begun(n) && done(high) < mapTasks {
				t.Fatalf("an equal has begun with %d maps of the job of high priority done", done(high))
			}
			if got := done(n); lowBegun && got < mapTasks {
				t.Fatalf("the job of low priority has begun with %d maps of an equal done", got)
			}
		}
		// The two numbers are not read at the same moment: another task may end in between.
		if a, b := done(equals[0]), done(equals[1]); a < mapTasks && b < mapTasks && max(a, b)-min(a, b) > 3 {
			t.Fatalf("of two equal jobs one has %d maps done, the other %d", a, b)
		}
		if !lowBegun {
			return fmt.Errorf("it has not begun")
		}
		return nil
	})
	for _, n := range []*counting{blocker, high, equals[0], equals[1], low} {
		n.check()
	}
}
