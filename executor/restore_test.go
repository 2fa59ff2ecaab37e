package executor_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// forget makes Redis lose all its data.
func (c *cluster) forget() {
	c.t.Helper()
	rdb := c.client(&redis.Options{})
	if err := errors.Join(rdb.FlushAll(c.t.Context()).Err(), rdb.Close()); err != nil {
		c.t.Fatal(err)
	}
}

// ended waits for the end of a job that Redis may not know for a while.
func (c *cluster) ended(id job.ID) {
	c.t.Helper()
	c.eventually("the job's end", func() bool {
		j, err := c.store.Job(c.t.Context(), id)
		if err != nil && !errors.Is(err, state.ErrNoJob) {
			c.t.Fatal(err)
		}
		return err == nil && j.Phase == job.PhaseEnded
	})
}

// durable returns a cluster whose jobs survive a data loss, and that counts its reads of input. The
// gate stops executors and the controller.
func durable(t *testing.T, g *gate) (c *cluster, boss *controller.Controller, reads *atomic.Int64) {
	c, reads = newIdleCluster(t), new(atomic.Int64)
	fault := func(ctx context.Context, method, key string) error {
		if method == "get" && filepath.Base(key) == "in.txt" {
			reads.Add(1)
		}
		return g.fault(ctx, method, key)
	}
	boss = c.boss(func(cfg *controller.Config) {
		cfg.Durable, cfg.Open = true, faulty(c.open, fault)
	})
	c.executor("one", forEver, func(cfg *executor.Config) { cfg.Open, cfg.Slots = faulty(c.open, fault), 1 })
	return c, boss, reads
}

// After a data loss a job continues, in whatever phase it was, and committed map tasks are not done
// again.
func TestJobSurvivesTheLossOfRedis(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, suffix string
		reducers             int
		mostReads            int64 // of input, by four map tasks and by the repeated ones
	}{
		{"planning", "put", "00000", 2, 4},
		{"first map", "get", "in.txt", 2, 5},
		{"third map writes", "create", "m2.", 2, 5},
		{"reduce", "get", ".seg", 2, 4},
		{"second part", "create", "part-00001", 2, 4},
		{"publishing", "complete", "part-00001", 2, 4},
		{"published", "put", "_SUCCESS", 2, 4},
		{"map only", "create", "part-00002", 0, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(test.method, test.suffix)
			c, boss, reads := durable(t, g)
			id := job.NewID()
			spec := c.spec(test.reducers)
			if _, err := boss.Submit(t.Context(), id, spec); err != nil {
				t.Fatal(err)
			}
			<-g.reached
			c.forget()
			close(g.open)
			c.ended(id)
			c.completed(id)
			// The beginning of the input is read once before and once after the loss, for all its
			// splits.
			if n, most := reads.Load(), test.mostReads+2; n > most {
				t.Errorf("input was read %d times, want at most %d", n, most)
			}
			parts := test.reducers
			if parts == 0 {
				parts = 4
			}
			if names := c.files("out"); len(names) != parts+1 {
				t.Errorf("the output has %q", names)
			}
			for _, name := range c.files("work") {
				if !strings.HasPrefix(name, "logs/") {
					t.Errorf("left on the work store: %s", name)
				}
			}
		})
	}
}

// A job that has ended is not restored.
func TestSettledJobIsNotRestored(t *testing.T) {
	t.Parallel()
	g := newGate("never", "never")
	c, boss, _ := durable(t, g)
	id := job.NewID()
	if _, err := boss.Submit(t.Context(), id, c.spec(1)); err != nil {
		t.Fatal(err)
	}
	c.completed(id)
	c.forget()
	other := job.NewID()
	spec := c.spec(1)
	spec.Output = c.path("other")
	if _, err := boss.Submit(t.Context(), other, spec); err != nil {
		t.Fatal(err)
	}
	c.ended(other)
	if _, err := c.store.Job(t.Context(), id); !errors.Is(err, state.ErrNoJob) {
		t.Errorf("the job that had ended: %v", err)
	}
}

// A segment file that was adopted and turns out to be damaged is made again, and not adopted again.
func TestDamagedOutputIsFoundOnce(t *testing.T) {
	t.Parallel()
	g := newGate("get", ".seg")
	c, boss, _ := durable(t, g)
	id := job.NewID()
	if _, err := boss.Submit(t.Context(), id, c.spec(1)); err != nil {
		t.Fatal(err)
	}
	<-g.reached
	c.forget()
	for _, name := range c.files("work") {
		if strings.HasSuffix(name, ".seg") {
			path := filepath.Join(c.path("work"), name)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[60] ^= 1 // in the first block, past the header
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	close(g.open)
	c.ended(id)
	if job := c.completed(id); job.Map.Failed != 1 {
		t.Errorf("%d map attempts were lost", job.Map.Failed)
	}
}
