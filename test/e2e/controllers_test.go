package e2e

import (
	"fmt"
	"testing"
	"time"
)

// A controller that is killed during a job is replaced by one that knows only what Redis and the
// store know.
func TestControllerIsReplacedInMidJob(t *testing.T) {
	t.Attr("timing", "a fault must come while a job runs")
	t.Parallel()
	shared, err := sharedBackends()
	if err != nil {
		t.Fatal(err)
	}
	c, controller, executors := newClusterOn(t, shared, 2)
	n := c.slowCounting("replaced", 30, 250*time.Millisecond)
	n.underway(1)
	controller.kill(t)
	executors[0].kill(t) // only a controller can reassign its task
	c.startController()
	n.unfinished()
	n.check()
}

// Two controllers share the work: each accepts jobs, each knows all of them, and either may stop.
func TestTwoControllersAtOnce(t *testing.T) {
	t.Parallel()
	shared, err := sharedBackends()
	if err != nil {
		t.Fatal(err)
	}
	c, firstController, _ := newClusterOn(t, shared, 2)
	first := c.api
	c.startController()
	second := c.api
	var jobs []*counting
	for i := range 6 {
		c.api = []*api{first, second}[i%2]
		jobs = append(jobs, c.slowCounting(fmt.Sprintf("shared-%d", i), 6, 150*time.Millisecond))
	}
	c.api = second
	jobs[0].check() // submitted to the first controller
	jobs[len(jobs)-1].until("be unfinished", func(j job) error {
		if j.ended() {
			return fmt.Errorf("%w: it is %s", errNever, j.State)
		}
		return nil
	})
	firstController.kill(t)
	for _, n := range jobs {
		n.check()
	}
}
