package executor_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// Jobs whose inputs can't be listed in time, whose webhooks don't answer, or whose outputs can't be
// cleaned up don't delay other jobs, however many they are.
func TestSlowJobsHoldUpNobody(t *testing.T) {
	t.Attr("timing", "jobs must be quick")
	t.Parallel()
	const slow = 30
	wait := func(ctx context.Context, release <-chan struct{}) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for name, hold := range map[string]func(cfg *controller.Config, release chan struct{}){
		"inputs": func(cfg *controller.Config, release chan struct{}) {
			cfg.Open = faulty(cfg.Open, func(ctx context.Context, method, key string) error {
				if method == "stat" && strings.Contains(key, "slow") {
					return wait(ctx, release)
				}
				return nil
			})
		},
		"clean-up": func(cfg *controller.Config, release chan struct{}) {
			cfg.Open = faulty(cfg.Open, func(ctx context.Context, method, key string) error {
				if method == "uploads" && strings.Contains(key, "slow") {
					return wait(ctx, release)
				}
				return nil
			})
		},
		"webhooks": func(cfg *controller.Config, release chan struct{}) {
			cfg.Notify = func(ctx context.Context, _ state.Job, spec job.Spec, _ map[string]int64) error {
				if strings.Contains(spec.Output, "slow") {
					return wait(ctx, release)
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newIdleCluster(t)
			release := make(chan struct{})
			c.boss(func(cfg *controller.Config) {
				cfg.Open = c.open
				hold(cfg, release)
			})
			c.executor("one", forEver, nil)
			spec := c.spec(1)
			text, err := os.ReadFile(c.path("in.txt"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(c.path("slow.txt"), text, 0o600); err != nil {
				t.Fatal(err)
			}
			var held []job.ID
			for i := range slow {
				other := spec
				other.Input, other.Output = job.Inputs(c.path("slow.txt")), c.path(fmt.Sprintf("slow%d", i))
				other.Webhook = "https://example.org/"
				held = append(held, c.submitSpec(other))
			}
			stage := map[string]job.Phase{"inputs": job.PhasePlan, "clean-up": job.PhaseCleanup, "webhooks": job.PhaseCleanup}[name]
			for _, id := range held {
				c.wait(id, func(job state.Job) bool { return job.Phase == stage })
			}
			c.completed(c.submitSpec(spec))
			for _, id := range held {
				if job := c.wait(id, func(state.Job) bool { return true }); job.Phase != stage {
					t.Errorf("%s is in phase %s", id, job.Phase)
				}
			}
			close(release)
			for _, id := range held {
				if j := c.wait(id, func(theJob state.Job) bool { return theJob.Phase == job.PhaseEnded }); j.State != job.Completed {
					t.Errorf("%s is %s: %+v", id, j.State, j.Error)
				}
			}
		})
	}
}

// A job waits until the last job that wrote to its output is cleaned up.
func TestOutputThatIsBeingCleanedUp(t *testing.T) {
	t.Parallel()
	c := newIdleCluster(t)
	release, held := make(chan struct{}), make(chan struct{}, 100)
	c.boss(func(cfg *controller.Config) {
		cfg.Open = faulty(c.open, func(ctx context.Context, method, _ string) error {
			if method != "uploads" {
				return nil
			}
			held <- struct{}{}
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	c.executor("one", forEver, nil)
	spec := c.spec(1)
	spec.Overwrite = true
	first := c.submitSpec(spec)
	c.wait(first, func(j state.Job) bool { return j.State == job.Completed })
	<-held
	second := c.submitSpec(spec)
	if theJob := c.wait(second, func(state.Job) bool { return true }); theJob.Phase != job.PhasePlan {
		t.Fatalf("the second is in phase %s", theJob.Phase)
	}
	close(release)
	c.completed(first)
	c.completed(second)
}
