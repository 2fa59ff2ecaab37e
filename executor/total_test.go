package executor_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// sorting writes lines, and returns the spec of a job that sorts them in total order, with four map
// tasks and a number of reducers.
func (c *cluster) sorting(lines []string, reducers int) job.Spec {
	c.t.Helper()
	if err := os.WriteFile(c.path("in.txt"), []byte(strings.Join(lines, "")), 0o644); err != nil {
		c.t.Fatal(err)
	}
	return job.Spec{
		Program: "sort", Kind: "builtin", Input: job.Inputs(c.path("in.txt")), Output: c.path("out"),
		Maps: 4, Reducers: &reducers, SortOrder: job.OrderTotal, KeepIntermediates: true,
	}
}

// randomLines returns n lines, of which a share, in percent, are equal.
func randomLines(n, share int) []string {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("%x\n", r.Uint64()>>r.IntN(60))
		if r.IntN(100) < share {
			lines[i] = "7777 heavy\n"
		}
	}
	return lines
}

// inOrder waits until a job is COMPLETED, and compares its parts, one after the other, with the
// sorted lines. It returns the sizes of the parts, in lines.
func (c *cluster) inOrder(id job.ID, lines []string, reducers int) (sizes []int) {
	c.t.Helper()
	c.ended(id)
	j, err := c.store.Job(c.t.Context(), id)
	if err != nil || j.State != job.Completed {
		failures, ferr := c.store.Failures(c.t.Context(), id)
		c.t.Fatalf("%+v, %v, %v, %v", j.Error, failures, err, ferr)
	}
	var all []byte
	for part := range reducers {
		text, err := os.ReadFile(c.path(fmt.Sprintf("out/part-%05d", part)))
		if err != nil {
			c.t.Fatal(err)
		}
		sizes = append(sizes, bytes.Count(text, []byte("\n")))
		all = append(all, text...)
	}
	want := slices.Sorted(slices.Values(lines))
	if got := string(all); got != strings.Join(want, "") {
		c.t.Errorf("parts of %v lines are not the %d sorted ones", sizes, len(want))
	}
	return sizes
}

// counted counts the calls of a method on keys whose names contain part.
func counted(n *atomic.Int64, method, part string, f fault) fault {
	return func(ctx context.Context, m, key string) error {
		if m == method && strings.Contains(filepath.Base(key), part) {
			n.Add(1)
		}
		return f(ctx, m, key)
	}
}

func harmless(context.Context, string, string) error { return nil }

// Several executors agree on one set of ranges. The parts have equal sizes even if most records
// have the same key.
func TestTotalOrder(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lines    []string
		reducers int
		largest  int // part, in lines
	}{
		"nothing":   {[]string{"\n"}, 3, 1},
		"one line":  {[]string{"a\n"}, 3, 1},
		"even":      {randomLines(8000, 0), 8, 1100},
		"skewed":    {randomLines(8000, 60), 8, 1500},
		"one key":   {randomLines(8000, 100), 8, 1500},
		"one part":  {randomLines(100, 10), 1, 100},
		"few lines": {randomLines(5, 0), 20, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			var made, segments atomic.Int64
			for i := range 3 {
				c.executor(job.ExecutorID(fmt.Sprint("hand-", i)), forEver, func(cfg *executor.Config) {
					cfg.Open = faulty(c.open, counted(&made, "put", "bounds-", counted(&segments, "create", ".seg", harmless)))
				})
			}
			sizes := c.inOrder(c.submitSpec(c.sorting(test.lines, test.reducers)), test.lines, test.reducers)
			if slices.Max(sizes) > test.largest {
				t.Errorf("parts of %v lines", sizes)
			}
			if want := int64(min(1, test.reducers-1)); made.Load() != want {
				t.Errorf("bounds were made %d times", made.Load())
			}
		})
	}
}

// If the executor that samples dies, another one samples when the lock has expired.
func TestSamplerThatIsCutOff(t *testing.T) {
	t.Parallel()
	for name, method := range map[string][2]string{"reads": {"get", "in.txt"}, "stores": {"put", "bounds-"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			g := newGate(method[0], method[1])
			var wire network
			far := c.connect(&redis.Options{Dialer: wire.dial, MaxRetries: -1})
			stop := c.executor("far", soon, func(cfg *executor.Config) {
				cfg.Store, cfg.Slots, cfg.Open = far, 1, faulty(c.open, g.fault)
			})
			lines := randomLines(1000, 30)
			id := c.submitSpec(c.sorting(lines, 4))
			<-g.reached
			wire.cut.Store(true)
			c.executor("near", forEver, nil)
			c.inOrder(id, lines, 4)
			wire.cut.Store(false)
			close(g.open)
			stop()
			c.checkFiles(4, 4)
		})
	}
}

// Bounds that are not what was written are not used.
func TestDamagedBounds(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.executor("one", forEver, func(cfg *executor.Config) {
		cfg.Open = faulty(c.open, func(_ context.Context, method, key string) error {
			if method == "get" && strings.Contains(key, "/bounds-") {
				return os.WriteFile("/"+key, []byte{1, 4, 0, 0}, 0o600) // no boundaries: valid, but other bounds
			}
			return nil
		})
		cfg.Limits.Infra = 2
	})
	id := c.submitSpec(c.sorting(randomLines(100, 0), 4))
	c.ended(id)
	if job, err := c.store.Job(t.Context(), id); err != nil || job.Error == nil || !strings.Contains(job.Error.Message, "not what was written") {
		t.Errorf("job %+v, %v", job, err)
	}
}

// If the store loses or damages the bounds while tasks are being mapped, the same bounds are made
// again.
func TestLostBounds(t *testing.T) {
	t.Parallel()
	for name, meddle := range map[string]func(path string) error{
		"lost":    os.Remove,
		"damaged": func(path string) error { return os.WriteFile(path, []byte{1, 4, 0, 0}, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const reducers = 4
			c := newCluster(t)
			var made atomic.Int64
			bounds := func(cfg *executor.Config, f fault) {
				cfg.Slots, cfg.Open = 1, faulty(c.open, counted(&made, "put", "bounds-", f))
			}
			g := newGate("create", ".seg")
			stop := c.executor("first", forEver, func(cfg *executor.Config) { bounds(cfg, g.fault) })
			lines := randomLines(4000, 30)
			id := c.submitSpec(c.sorting(lines, reducers))
			<-g.reached
			paths, err := filepath.Glob(c.path("work/jobs/*/plan-*/bounds-*"))
			if err != nil || len(paths) != 1 {
				t.Fatalf("bounds: %q, %v", paths, err)
			}
			if err := meddle(paths[0]); err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				c.executor(job.ExecutorID(fmt.Sprint("next-", i)), forEver, func(cfg *executor.Config) { bounds(cfg, harmless) })
			}
			c.eventually("bounds are made again", func() bool { return made.Load() > 1 })
			close(g.open)
			stop()
			c.inOrder(id, lines, reducers)
			if made.Load() != 2 {
				t.Errorf("bounds were made %d times", made.Load())
			}
		})
	}
}

// An executor that stores bounds only after the job has ended leaves none.
func TestLateBounds(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := newGate("put", "bounds-")
	stop := c.executor("late", forEver, func(cfg *executor.Config) {
		cfg.Slots, cfg.Open = 1, faulty(c.open, func(ctx context.Context, method, key string) error {
			err := g.fault(ctx, method, key)
			if method == "put" && strings.HasPrefix(filepath.Base(key), "bounds-") {
				return nil // the request was on its way
			}
			return err
		})
	})
	spec := c.sorting(randomLines(1000, 30), 4)
	spec.KeepIntermediates = false
	id := c.submitSpec(spec)
	<-g.reached
	if err := c.store.Stop(t.Context(), id, state.AnyStage, job.Cancelled, job.Failure{}); err != nil {
		t.Fatal(err)
	}
	c.ended(id)
	close(g.open)
	stop()
	if left := c.files("work"); len(left) > 0 {
		t.Errorf("left on the work store: %q", left)
	}
}

// If sampling again gives other bounds, since the program is not deterministic, the segments that
// were mapped by the old ones are useless: the job fails, and says why.
func TestLostBoundsThatCannotBeMadeAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := newGate("create", ".seg")
	stop := c.executor("first", forEver, func(cfg *executor.Config) { cfg.Slots, cfg.Open = 1, faulty(c.open, g.fault) })
	id := c.submitSpec(c.sorting(randomLines(1000, 30), 4))
	<-g.reached
	rdb := c.client(&redis.Options{})
	err := rdb.HSet(t.Context(), fmt.Sprintf("%s:{%s}", state.DefaultNamespace, id), "bounds", strings.Repeat("0", 32)).Err()
	if err := errors.Join(err, rdb.Close()); err != nil {
		t.Fatal(err)
	}
	defer stop()
	defer close(g.open)
	c.executor("next", forEver, func(cfg *executor.Config) { cfg.Limits.Shun = -1 })
	c.ended(id)
	j, err := c.store.Job(t.Context(), id)
	if err != nil || j.State != job.Failed || !strings.Contains(j.Error.Message, "no such object") || !strings.Contains(j.Error.Message, "gives others when it is asked again") {
		t.Errorf("%s: %+v, %v", j.State, j.Error, err)
	}
}

// After a data loss, a job of total order continues. Its bounds are found on the store, or the same
// bounds are made again, so that no task needs to be mapped again. If the bounds differ, no segment
// file that was mapped by the old ones is used.
func TestTotalOrderSurvivesTheLossOfRedis(t *testing.T) {
	t.Parallel()
	const reducers = 4
	other := shuffle.AppendBounds(nil, shuffle.Partitioner{Partitions: reducers, Boundaries: [][]byte{{'2'}, {'3'}, {'f'}}})
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
	for name, test := range map[string]struct {
		method, part string
		meddle       func(t *testing.T, path string) // with the bounds, during the data loss; may be nil
		made, mapped int64                           // how many times bounds are stored, and tasks mapped
	}{
		"sampling":              {"put", "bounds-", nil, 2, 4},
		"mapping":               {"create", "m2.", nil, 1, 5},
		"reducing":              {"get", ".seg", nil, 1, 4},
		"reducing, bounds lost": {"get", ".seg", remove, 2, 4},
		"reducing, other bounds": {"get", ".seg", func(t *testing.T, path string) {
			remove(t, path)
			sum := sha256.Sum256(other)
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), "bounds-"+hex.EncodeToString(sum[:16])), other, 0o600); err != nil {
				t.Error(err)
			}
		}, 1, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var made, mapped atomic.Int64
			g := newGate(test.method, test.part)
			c := newIdleCluster(t)
			boss := c.boss(func(cfg *controller.Config) { cfg.Durable = true })
			c.executor("one", forEver, func(cfg *executor.Config) {
				cfg.Slots = 1
				cfg.Open = faulty(c.open, counted(&made, "put", "bounds-", counted(&mapped, "create", ".seg", g.fault)))
			})
			lines := randomLines(4000, 30)
			id := job.NewID()
			if _, err := boss.Submit(t.Context(), id, c.sorting(lines, reducers)); err != nil {
				t.Fatal(err)
			}
			<-g.reached
			c.forget()
			if test.meddle != nil {
				paths, err := filepath.Glob(c.path("work/jobs/*/plan-*/bounds-*"))
				if err != nil || len(paths) != 1 {
					t.Fatalf("bounds: %q, %v", paths, err)
				}
				test.meddle(t, paths[0])
			}
			close(g.open)
			c.inOrder(id, lines, reducers)
			if made.Load() > test.made || mapped.Load() > test.mapped || test.mapped == 8 && mapped.Load() < 8 {
				t.Errorf("bounds were stored %d times, want %d; tasks were mapped %d times, want %d", made.Load(), test.made, mapped.Load(), test.mapped)
			}
		})
	}
}

// If sampling fails, the attempt fails with the same error.
func TestSamplingFails(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var failed atomic.Int64
	c.executor("one", forEver, func(cfg *executor.Config) {
		cfg.Open = faulty(c.open, func(_ context.Context, method, key string) error {
			if method == "get" && strings.HasSuffix(key, "in.txt") && failed.Add(1) == 1 {
				return errors.New("the disk is broken")
			}
			return nil
		})
	})
	lines := randomLines(1000, 0)
	id := c.submitSpec(c.sorting(lines, 4))
	c.inOrder(id, lines, 4)
	failures, err := c.store.Failures(t.Context(), id)
	if err != nil || len(failures) != 1 || !strings.Contains(failures[0].Message, "sample keys for the total order: ") {
		t.Errorf("failures %v, %v", failures, err)
	}
}
