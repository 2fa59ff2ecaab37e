package scale_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/test/testservices"
)

var (
	tasks     = flag.Int("tasks", 20_000, "map tasks")
	reduces   = flag.Int("reduces", 100, "reduce tasks")
	executors = flag.Int("executors", 1_000, "executors, each of which runs one task at a time")
	inFlight  = flag.Int("in-flight", 16, "requests to Redis that are under way at a time")
)

const (
	lease     = 30 * time.Second
	heartbeat = 5 * time.Second
	// most is how many bytes of Redis a committed task may need.
	most = 300
	// mostHeap is how many bytes of memory the controller and the fleet may use, for any number of
	// tasks.
	mostHeap = 64 << 20
)

// fleet simulates executors whose tasks take no time. All of them send heartbeats, and a few
// connections claim and commit as fast as they can.
type fleet struct {
	t      *testing.T
	store  *state.Store
	bucket objstore.Bucket
	job    job.ID

	mu      sync.Mutex
	claims  durations // guarded by mu
	commits durations // guarded by mu
	beats   atomic.Int64
}

// durations counts how often each duration occurred, with a resolution of 2%, in constant memory.
type durations struct {
	counts [2048]int // by the logarithm of the microseconds
	all    int
}

const steps = 35 // per doubling: 2% each

func (d *durations) add(t time.Duration) {
	us := max(1, float64(t)/float64(time.Microsecond))
	d.counts[min(int(steps*math.Log2(us)), len(d.counts)-1)]++
	d.all++
}

// quantile returns a duration that the given fraction of all durations does not exceed.
func (d *durations) quantile(q float64) time.Duration {
	before := 0
	for i, n := range d.counts {
		if before += n; float64(before) >= q*float64(d.all) {
			return time.Duration(math.Exp2(float64(i+1)/steps) * float64(time.Microsecond)).Round(time.Microsecond)
		}
	}
	return 0
}

func TestScale(t *testing.T) {
	server := testservices.NewRedis(t, "--maxmemory", "0")
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr, PoolSize: *inFlight + 16})
	store := state.New(rdb, "scale")
	t.Cleanup(func() { must(t, store.Close()) })
	folder := t.TempDir()
	stores, err := connect.New(connect.Config{})
	must(t, err)
	input := filepath.Join(folder, "in")
	must(t, os.WriteFile(input, make([]byte, *tasks), 0o600)) // one byte for each task
	boss, err := controller.New(t.Context(), controller.Config{
		ID: "boss", Store: store, Open: stores.Open, Work: folder + "/work", Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	running, stop := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	defer parts.Wait()
	defer stop()
	parts.Go(func() { must(t, boss.Run(running)) })

	begun := time.Now()
	id := job.NewID()
	_, err = controller.Submit(t.Context(), store, id, job.Spec{
		Program: "wordcount", Kind: "builtin", Input: job.Inputs(input), Output: folder + "/out",
		Format: "fixed:1", Maps: *tasks, Reducers: reduces,
	})
	must(t, err)
	waitFor(t, store, id, func(j state.Job) bool { return j.Phase == job.PhaseMap })
	t.Logf("planned in %v", since(begun))

	bucket, _, err := stores.Open(t.Context(), folder)
	must(t, err)
	f := &fleet{t: t, store: store, bucket: bucket, job: id}
	parts.Go(func() { f.beat(running) })
	heap := watchHeap(running, &parts)
	f.connect(t, rdb)
	empty := redisMemory(t, rdb)
	mapping := time.Now()
	cpu := redisCPU(t, rdb)
	f.work(t.Context(), strings.TrimPrefix(folder, "/")+"/out", func() bool { return phase(t, store, id) == job.PhaseMap })
	took := time.Since(mapping)
	each := (redisMemory(t, rdb) - empty) / *tasks
	t.Logf("mapped in %v: %.3f ms a task; Redis used %.3f ms of CPU a task", since(mapping),
		took.Seconds()*1000/float64(*tasks), (redisCPU(t, rdb)-cpu)*1000/float64(*tasks))
	f.report("map")
	t.Logf("%d bytes of Redis a task", each)
	f.work(t.Context(), strings.TrimPrefix(folder, "/")+"/out", func() bool { return phase(t, store, id) == job.PhaseReduce })
	theJob := waitFor(t, store, id, func(j state.Job) bool { return j.Phase == job.PhaseEnded })
	t.Logf("ended in %v as %s; the process, controller and fleet, held up to %d MiB; %d renewals", since(begun), theJob.State, heap.Load()>>20, f.beats.Load())
	if heap.Load() > mostHeap {
		t.Errorf("%d MiB are more than %d", heap.Load()>>20, mostHeap>>20)
	}
	if theJob.State != job.Completed || theJob.Map.Failed+theJob.Reduce.Failed > 0 {
		t.Errorf("the job ended as %s: %+v", theJob.State, theJob.Error)
	}
	if each > most && *tasks > 10_000 {
		t.Errorf("%d bytes of Redis a task, more than %d", each, most)
	}
}

// connect opens all connections, so that their memory is not counted as that of tasks.
func (f *fleet) connect(t *testing.T, rdb *redis.Client) {
	t.Helper()
	var asking sync.WaitGroup
	for range 2 * *inFlight {
		asking.Go(func() { _ = rdb.BLPop(t.Context(), time.Second, "nobody pushes this").Err() })
	}
	asking.Wait()
}

// work makes the fleet claim and commit until the phase is over.
func (f *fleet) work(ctx context.Context, output string, more func() bool) {
	f.mu.Lock()
	f.claims, f.commits = durations{}, durations{}
	f.mu.Unlock()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range *inFlight {
		workers.Go(func() {
			for more() {
				for range 50 { // before the next look at the phase
					name := job.ExecutorID(fmt.Sprintf("executor-host-%05d", next.Add(1)%int64(*executors)))
					if !f.one(ctx, name, output) {
						break
					}
				}
			}
		})
	}
	workers.Wait()
}

// one claims a task and commits it. It returns false if there was no task.
func (f *fleet) one(ctx context.Context, name job.ExecutorID, output string) bool {
	begun := time.Now()
	claims, err := f.store.Claim(ctx, name, 1, lease)
	must(f.t, err)
	claimed := time.Since(begun)
	if len(claims) == 0 {
		return false
	}
	a := claims[0].Attempt
	manifest := []byte("i" + strings.Repeat("x", 70)) // the offsets of some segments
	if a.Task.Side == job.Reduce {
		manifest = f.part(ctx, output, a.Task.Index)
	}
	begun = time.Now()
	must(f.t, f.store.Commit(ctx, a, name, manifest, map[string]int64{
		"map_input_records": 1000, "map_input_bytes": 64 << 20, "map_output_records": 1000, "shuffle_records": 100, "shuffle_bytes": 4096,
	}))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.claims.add(claimed)
	f.commits.add(time.Since(begun))
	return true
}

// part writes an empty part of the output.
func (f *fleet) part(ctx context.Context, output string, index int) []byte {
	w, err := f.bucket.Create(ctx, output+"/"+layout.PartName(index))
	must(f.t, err)
	upload, err := w.Seal()
	must(f.t, err)
	handle, err := json.Marshal(upload)
	must(f.t, err)
	text, err := json.Marshal(layout.Part{Upload: handle, Checksum: "xxh64:ef46db3751d8e999"})
	must(f.t, err)
	return append([]byte("i"), text...)
}

// beat renews a lease once per heartbeat for every executor. The leases belong to others: the
// script does the same work.
func (f *fleet) beat(ctx context.Context) {
	pace := time.NewTicker(heartbeat / time.Duration(*executors))
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		_, _, err := f.store.Renew(ctx, "executor-host-00000", lease, []state.Beat{{
			Attempt: job.AttemptID{Job: f.job, Task: job.TaskID{Side: job.Map, Index: 1}, Number: 1, Claimed: 1},
		}})
		if err == nil {
			f.beats.Add(1)
		} else if !errors.Is(err, context.Canceled) && ctx.Err() == nil {
			must(f.t, err)
		}
	}
}

func (f *fleet) report(side string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for what, d := range map[string]*durations{"claim": &f.claims, "commit": &f.commits} {
		f.t.Logf("%s %s: p50 %v, p99 %v, of %d, %d at a time", side, what, d.quantile(0.5), d.quantile(0.99), d.all, *inFlight)
	}
}

func waitFor(t *testing.T, store *state.Store, id job.ID, ok func(state.Job) bool) state.Job {
	t.Helper()
	for {
		j, err := store.Job(t.Context(), id)
		must(t, err)
		if ok(j) || j.State == job.Failed {
			return j
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func phase(t *testing.T, store *state.Store, id job.ID) job.Phase {
	t.Helper()
	job, err := store.Job(t.Context(), id)
	must(t, err)
	return job.Phase
}

func watchHeap(ctx context.Context, parts *sync.WaitGroup) *atomic.Uint64 {
	var most atomic.Uint64
	parts.Go(func() {
		for ctx.Err() == nil {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse))
			time.Sleep(200 * time.Millisecond)
		}
	})
	return &most
}

func redisMemory(t *testing.T, rdb *redis.Client) int {
	t.Helper()
	return int(info(t, rdb, "memory", "used_memory"))
}

// redisCPU returns the seconds of CPU that the server has used.
func redisCPU(t *testing.T, rdb *redis.Client) float64 {
	t.Helper()
	return info(t, rdb, "cpu", "used_cpu_user") + info(t, rdb, "cpu", "used_cpu_sys")
}

func info(t *testing.T, rdb *redis.Client, section, field string) float64 {
	t.Helper()
	text, err := rdb.Info(t.Context(), section).Result()
	must(t, err)
	_, rest, _ := strings.Cut(text, field+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	n, err := strconv.ParseFloat(value, 64)
	must(t, err)
	return n
}

func since(begun time.Time) time.Duration { return time.Since(begun).Round(time.Millisecond) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
		panic(err)
	}
}
