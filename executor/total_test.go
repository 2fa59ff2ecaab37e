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

// sorting writes lines, and describes the job that sorts them: four map tasks and reducers, in
// total order.
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

// randomLines are n lines, a share of which, in percent, are the same.
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

// inOrder waits for a job's end, and compares its parts, one after the other, with the lines
// that it was given. It returns the parts' sizes.
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

// counted counts the calls of a method on keys with that in their names.
func counted(n *atomic.Int64, method, part string, f fault) fault {
	return func(ctx context.Context, m, key string) error {
		if m == method && strings.Contains(filepath.Base(key), part) {
			n.Add(1)
		}
		return f(ctx, m, key)
	}
}

func harmless(context.Context, string, string) error { return nil }

// Several executors agree on the ranges, of which they make one set, and parts are of a size
// even if most of the records have one key.
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

// Whoever samples may die at it: another does it when the lock has ended.
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
				return os.WriteFile("/"+key, []byte{1, 4, 0, 0}, 0o600) // no boundaries: sound, but others
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

// Bounds that the store has lost, or damaged, while tasks are mapped by them are made again as they were.
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

// Who is held up before it stores bounds, until the job is over, leaves none.
func TestLateBounds(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	g := newGate("put", "bounds-")
	stop := c.executor("late", forEver, func(cfg *executor.Config) {
		cfg.Slots, cfg.Open = 1, faulty(c.open, func(ctx context.Context, method, key string) error {
			err := g.fault(ctx, method, key)
			if method == "put" && strings.HasPrefix(filepath.Base(key), "bounds-") {
				return nil // it was on its way
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

// Where sampling again gives others, since the program does not do the same twice, what was mapped by the
// old ones is of no use with them: the job fails, and says why.
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

// A job of total order goes on when Redis has lost everything. Its bounds are found again, or made
// again as they were, so that what was mapped need not be mapped again. Should they be
// others, nothing that was mapped by the old ones is used.
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
		meddle       func(t *testing.T, path string) // with the bounds, while Redis has lost them; may be nil
		made, mapped int64                           // how often bounds are stored, and tasks mapped
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
			c.makeRoom()
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

// What sampling fails with is what the attempt fails with.
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
