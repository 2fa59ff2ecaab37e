package executor_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// If a segment is damaged or gone when a reduce task reads it, its map task runs again, and no
// other task.
func TestLostSegmentIsMappedAgain(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"deleted":   os.Remove,
		"truncated": func(path string) error { return os.Truncate(path, 40) },
		"emptied":   func(path string) error { return os.Truncate(path, 0) },
		"flipped": func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for i := range data {
				data[i] ^= 1
			}
			return os.WriteFile(path, data, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			var once sync.Once
			c.executor("one", forEver, func(cfg *executor.Config) {
				cfg.Open = faulty(c.open, func(_ context.Context, method, key string) (err error) {
					if method == "get" && strings.HasSuffix(key, ".seg") {
						once.Do(func() { err = damage("/" + key) })
					}
					return err
				})
			})
			job := c.completed(c.submit(3))
			if job.Map.Failed != 1 || job.Reduce.Failed != 0 {
				t.Errorf("failed attempts: %d, %d", job.Map.Failed, job.Reduce.Failed)
			}
			if names := c.files("out"); len(names) != 4 {
				t.Errorf("the output has %q", names)
			}
		})
	}
}

// A segment file that the store can no longer return, since the store's disk damaged it, is lost,
// too. A store that returns nothing at all has lost nothing.
func TestUnreadableSegment(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fails func(asked int64, method, key string) bool
		lost  int
	}{
		"damaged": {func(_ int64, method, key string) bool { return method == "get" && strings.Contains(key, "/m1.1-") }, 1},
		"away":    {func(asked int64, _, _ string) bool { return asked <= 20 }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			var asked atomic.Int64
			c.executor("one", forEver, func(cfg *executor.Config) {
				cfg.Open = faulty(c.open, func(_ context.Context, method, key string) error {
					isRead := method == "stat" || method == "get" && strings.HasSuffix(key, ".seg")
					if isRead && test.fails(asked.Add(1), method, key) {
						return fmt.Errorf("%s %s: %w", method, key, objstore.ErrUnavailable)
					}
					return nil
				})
			})
			if job := c.completed(c.submit(3)); job.Map.Failed != test.lost || asked.Load() == 0 {
				t.Errorf("%d map attempts were lost, %d are; asked %d times", job.Map.Failed, test.lost, asked.Load())
			}
		})
	}
}

// If a manifest that is too large for Redis is damaged or gone, its map task runs again. If the
// store does not return it for now, only the reduce attempt fails.
func TestLostManifest(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		trouble      func(path string) error
		maps, reduce int // attempts that fail
	}{
		"deleted": {os.Remove, 1, 0},
		"damaged": {func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 1
			return os.WriteFile(path, data, 0o600)
		}, 1, 0},
		"throttled": {func(string) error { return objstore.ErrThrottled }, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			var once sync.Once
			c.executor("one", forEver, func(cfg *executor.Config) {
				cfg.Slots = 1 // concurrent attempts would share the read and its failure
				cfg.Open = faulty(c.open, func(_ context.Context, method, key string) (err error) {
					if method == "get" && strings.HasSuffix(key, ".manifest") {
						once.Do(func() { err = test.trouble("/" + key) })
					}
					return err
				})
			})
			job := c.completed(c.submit(300))
			if job.Map.Failed != test.maps || job.Reduce.Failed != test.reduce {
				t.Errorf("failed attempts: %d of maps, %d of reducers, not %d, %d",
					job.Map.Failed, job.Reduce.Failed, test.maps, test.reduce)
			}
		})
	}
}

// The first read of each segment file fails.
func TestThrottledStore(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var asked sync.Map
	c.executor("one", forEver, func(cfg *executor.Config) {
		cfg.Open = faulty(c.open, func(_ context.Context, method, key string) error {
			task, _, _ := strings.Cut(filepath.Base(key), ".") // the rest names the attempt
			if _, again := asked.LoadOrStore(method+" "+task, true); !again {
				return fmt.Errorf("%s %s: %w", method, key, objstore.ErrThrottled)
			}
			return nil
		})
	})
	c.completed(c.submit(1))
	c.checkFiles(1, 4)
}

// gate stops the first call of a method on a matching key until the gate is opened, even if the
// call's context ends: to all others, that executor seems to hang.
type gate struct {
	method, suffix string
	once           sync.Once
	reached, open  chan struct{}
}

func newGate(method, suffix string) *gate {
	return &gate{method: method, suffix: suffix, reached: make(chan struct{}), open: make(chan struct{})}
}

func (g *gate) fault(ctx context.Context, method, key string) error {
	if method == g.method && strings.Contains(filepath.Base(key), g.suffix) {
		g.once.Do(func() {
			close(g.reached)
			<-g.open
		})
	}
	return ctx.Err()
}

// places are where attempts are stopped: reading input, reading segments, writing output.
var places = []struct {
	name, method, suffix string
	reducers             int
}{
	{"map", "get", "in.txt", 2},
	{"map writes", "create", ".seg", 2},
	{"reduce", "get", ".seg", 2},
	{"reduce writes", "create", "part-", 2},
	{"map only", "get", "in.txt", 0},
	{"map only writes", "create", "part-", 0},
}

// An executor that is told to end hands its tasks back, so that no other executor waits for its
// leases.
func TestStoppedExecutorHandsBack(t *testing.T) {
	t.Parallel()
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			g := newGate(place.method, place.suffix)
			stop := c.executor("leaver", forEver, func(cfg *executor.Config) { cfg.Open = faulty(c.open, g.fault) })
			id := c.submit(place.reducers)
			<-g.reached
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				stop()
			}()
			close(g.open)
			<-stopped
			c.executor("stayer", forEver, nil)
			c.completed(id)
			c.checkWritten(place.reducers)
		})
	}
}

// An executor that has lost its lease without noticing, and that continues when another executor
// has done its task, or when the whole job has ended, commits nothing and leaves nothing.
func TestZombieCommitsNothing(t *testing.T) {
	t.Parallel()
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			g := newGate(place.method, place.suffix)
			stop := c.executor("zombie", forEver, func(cfg *executor.Config) {
				cfg.Slots = 1
				cfg.Open = faulty(c.open, g.fault)
			})
			id := c.submit(place.reducers)
			<-g.reached
			c.loseLeases()
			c.executor("heir", forEver, nil)
			c.completed(id)
			close(g.open)
			stop()
			c.checkWritten(place.reducers)
			for _, side := range []job.Side{job.Map, job.Reduce} {
				for committed, err := range c.store.Committed(t.Context(), id, side) {
					if err != nil {
						t.Fatal(err)
					}
					if committed.Attempt.Number > 2 {
						t.Errorf("%s was needed", committed.Attempt)
					}
				}
			}
		})
	}
}

// loseLeases deletes all leases, as an eviction or a failover could.
func (c *cluster) loseLeases() {
	c.t.Helper()
	rdb := c.client(&redis.Options{})
	defer rdb.Close()
	keys, err := rdb.Keys(c.t.Context(), "*:lease:*").Result()
	if err != nil || len(keys) == 0 {
		c.t.Fatalf("leases: %q, %v", keys, err)
	}
	if err := rdb.Del(c.t.Context(), keys...).Err(); err != nil {
		c.t.Fatal(err)
	}
}

// An executor that is cut off from Redis loses its tasks when its leases end.
func TestExecutorThatIsCutOff(t *testing.T) {
	t.Parallel()
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			g := newGate(place.method, place.suffix)
			var wire network
			far := c.connect(&redis.Options{Dialer: wire.dial, MaxRetries: -1})
			stop := c.executor("far", soon, func(cfg *executor.Config) {
				cfg.Store, cfg.Slots, cfg.Open = far, 1, faulty(c.open, g.fault)
			})
			id := c.submit(place.reducers)
			<-g.reached
			wire.cut.Store(true)
			c.executor("near", forEver, nil)
			c.completed(id)
			wire.cut.Store(false)
			close(g.open)
			stop()
			c.checkWritten(place.reducers)
		})
	}
}

var errLost = errors.New("connection reset")

// Commits are lost on the way, or the answers to them.
func TestLostCommits(t *testing.T) {
	t.Parallel()
	everySecond := func() func() error {
		var n atomic.Int64
		return func() error {
			if n.Add(1)%2 == 1 {
				return errLost
			}
			return nil
		}
	}
	for _, reducers := range []int{0, 2} {
		parts, segments := 4, 0
		if reducers > 0 {
			parts, segments = reducers, 4
		}
		t.Run(fmt.Sprintf("answer lost, %d reducers", reducers), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			store := c.connect(&redis.Options{}, commits{after: everySecond()})
			c.executor("one", forEver, func(cfg *executor.Config) { cfg.Store = store })
			job := c.completed(c.submit(reducers))
			if job.Map.Failed+job.Reduce.Failed > 0 {
				t.Errorf("failed attempts: %d, %d", job.Map.Failed, job.Reduce.Failed)
			}
			c.checkFiles(parts, segments)
		})
		t.Run(fmt.Sprintf("commit lost, %d reducers", reducers), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			store := c.connect(&redis.Options{}, commits{before: everySecond()})
			c.executor("one", forEver, func(cfg *executor.Config) { cfg.Store = store })
			job := c.completed(c.submit(reducers))
			if job.Map.Failed == 0 {
				t.Error("no attempt failed")
			}
			c.checkFiles(parts, segments)
		})
	}
}

// A commit is lost while its task is reassigned: what the attempt made must be deleted.
func TestLostCommitOfALostAttempt(t *testing.T) {
	t.Parallel()
	for _, reducers := range []int{0, 2} {
		t.Run(fmt.Sprintf("%d reducers", reducers), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			var id job.ID
			submitted := make(chan struct{})
			var once sync.Once
			store := c.connect(&redis.Options{}, commits{before: func() (err error) {
				once.Do(func() {
					<-submitted
					c.loseLeases()
					c.wait(id, func(job state.Job) bool { return job.Map.Running == 0 })
					err = errLost
				})
				return err
			}})
			c.executor("one", forEver, func(cfg *executor.Config) { cfg.Store, cfg.Slots = store, 1 })
			id = c.submit(reducers)
			close(submitted)
			c.completed(id)
			if reducers == 0 {
				c.checkFiles(4, 0)
			} else {
				c.checkFiles(reducers, 4)
			}
		})
	}
}
