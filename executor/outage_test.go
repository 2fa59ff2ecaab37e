package executor_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/test/testservices"
)

// moments are the moments of a job at which Redis is struck: at the n-th call of a method on a key
// whose name contains a text.
var moments = []struct {
	name, method, part string
	n                  int
}{
	{"plan", "put", "0", 1},
	{"first map", "get", "in.txt", 1},
	{"last map", "create", ".seg", 4},
	{"first reduce", "get", ".seg", 1},
	{"last part", "create", "part-", 2},
	{"publish", "complete", "part-", 1},
}

// outageLease is the lease of executors in an outage: long enough for a busy machine, and short
// enough for a test.
const outageLease = 3 * time.Second

// strikeAt runs a job on two executors, calls strike during the n-th call of a method on a key, and
// checks the job's result. It returns how long the job took from the strike to its end.
func strikeAt(t *testing.T, url, method, part string, n int, strike func()) time.Duration {
	t.Helper()
	c := newFolder(t)
	var (
		mu    sync.Mutex
		calls int
		since time.Time
	)
	c.open = faulty(c.open, func(_ context.Context, m, key string) error {
		mu.Lock()
		defer mu.Unlock()
		if m == method && strings.Contains(filepath.Base(key), part) {
			if calls++; calls == n {
				since = time.Now()
				strike()
			}
		}
		return nil
	})
	var err error
	if c.store, err = state.Connect(t.Context(), url, state.DefaultNamespace); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.store.Close(); err != nil {
			t.Error(err)
		}
	})
	boss := c.boss(func(cfg *controller.Config) { cfg.Durable = true })
	for i := range 2 {
		c.executor(job.ExecutorID(fmt.Sprint("hand-", i)), outageLease, func(cfg *executor.Config) { cfg.Open = c.open })
	}
	id := job.NewID()
	if _, err := boss.Submit(t.Context(), id, c.spec(2)); err != nil {
		t.Fatal(err)
	}
	var last string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("last seen: %s", last)
		}
	})
	c.eventually("the job's end", func() bool {
		j, err := c.store.Job(t.Context(), id) // there is none while Redis is out
		last = fmt.Sprintf("%s %+v %+v, %v", j.Phase, j.Map, j.Reduce, err)
		return err == nil && j.Phase == job.PhaseEnded
	})
	mu.Lock()
	defer mu.Unlock()
	if since.IsZero() {
		t.Fatalf("Redis was not struck: %d calls", calls)
	}
	took := time.Since(since)
	job := c.completed(id)
	t.Logf("ended %v after the strike; failed attempts: %d, %d", took.Round(10*time.Millisecond), job.Map.Failed, job.Reduce.Failed)
	for _, name := range append(c.files("out"), c.files("work")...) {
		if filepath.Ext(name) == ".pending" {
			t.Errorf("left behind: %s", name)
		}
	}
	return took
}

// The primary dies, sentinels make the replica the primary, and all processes continue without
// help.
func TestFailover(t *testing.T) {
	for i, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := testservices.NewRedisSentinel(t, 1+i%2*2)
			strikeAt(t, server.URL, m.method, m.part, m.n, func() { server.Primary(t).Kill(t) })
		})
	}
}

// Redis dies and comes back with the data that it had written.
func TestRedisRestarts(t *testing.T) {
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := testservices.NewRedis(t, "--appendonly", "yes")
			strikeAt(t, server.URL, m.method, m.part, m.n, func() {
				server.Kill(t)
				server.Restart(t)
			})
		})
	}
}

// Redis hangs until all leases have ended.
func TestRedisHangs(t *testing.T) {
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := testservices.NewRedis(t)
			took := strikeAt(t, server.URL, m.method, m.part, m.n, func() {
				server.Suspend(t)
				time.AfterFunc(outageLease+time.Second, func() { server.Resume(t) })
			})
			if took < outageLease {
				t.Errorf("the job ended without Redis")
			}
		})
	}
}

// Redis is full until all leases have ended.
func TestRedisIsFull(t *testing.T) {
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			server := testservices.NewRedis(t)
			operator := redis.NewClient(&redis.Options{Addr: server.Addr})
			t.Cleanup(func() {
				if err := operator.Close(); err != nil {
					t.Error(err)
				}
			})
			limit := func(bytes string) {
				if err := operator.ConfigSet(context.Background(), "maxmemory", bytes).Err(); err != nil {
					t.Error(err)
				}
			}
			strikeAt(t, server.URL, m.method, m.part, m.n, func() {
				limit("1")
				time.AfterFunc(outageLease+time.Second, func() { limit("0") })
			})
		})
	}
}
