package e2e

import (
	"strings"
	"testing"
	"time"
)

// Executors that start during a job do their share of it.
func TestExecutorsAreAddedInMidJob(t *testing.T) {
	t.Attr("timing", "a fault must come while a job runs")
	t.Parallel()
	c, _ := newCluster(t, 1)
	n := c.slowCounting("grow", 60, 200*time.Millisecond)
	n.underway(1)
	for _, added := range c.startExecutors(2) {
		n.attempt(added.name+" has committed one", func(a attempt) bool { return a.Executor == added.name && a.State == "committed" })
	}
	n.unfinished()
	n.check()
}

// An executor that is told to stop finishes its task first, so that no attempt is lost.
func TestExecutorsAreStoppedInMidJob(t *testing.T) {
	t.Attr("timing", "a fault must come while a job runs")
	t.Parallel()
	c, executors := newCluster(t, 2)
	n := c.slowCounting("stop", 30, 250*time.Millisecond)
	n.underway(2)
	stopped := executors[0]
	n.runs(stopped.name)
	stopped.signal(t, "TERM")
	if code := stopped.exitCode(t); code != 0 {
		t.Errorf("an executor that was told to stop exited with %d", code)
	}
	n.unfinished()
	if end, _ := n.check(); end.Progress.Map.Failed != 0 {
		t.Errorf("%d attempts failed, though executors were only stopped in good order", end.Progress.Map.Failed)
	}
}

// Other executors do the tasks of a killed executor.
func TestExecutorsAreKilledInMidJob(t *testing.T) {
	t.Attr("timing", "a fault must come while a job runs")
	t.Parallel()
	c, executors := newCluster(t, 3)
	n := c.slowCounting("kill", 60, 300*time.Millisecond)
	n.underway(3)
	for _, killed := range executors[:2] {
		lost := n.runs(killed.name)
		killed.kill(t)
		n.attempt(lost.Task+" is given to another", func(a attempt) bool {
			return a.Task == lost.Task && (a.Number > lost.Number || a.State == "committed") // just before the kill
		})
	}
	n.unfinished()
	n.check()
}

// An executor is killed when its reduce task has written some of its output. Another executor
// writes it again.
func TestExecutorIsKilledInMidReduce(t *testing.T) {
	t.Attr("timing", "a fault must come while a job runs")
	t.Parallel()
	c, executors := newCluster(t, 2)
	n := c.slowCounting("reduce", 8, 0, withReducePause(4*time.Millisecond))
	killed := executors[0]
	lost := n.attempt(killed.name+" reduces", func(a attempt) bool {
		return a.Executor == killed.name && a.State == "running" && strings.HasPrefix(a.Task, "r")
	})
	killed.kill(t)
	n.attempt(lost.Task+" is given to another", func(a attempt) bool { return a.Task == lost.Task && a.Number > lost.Number })
	n.check()
}
