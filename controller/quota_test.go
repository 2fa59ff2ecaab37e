package controller

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/test/testservices"
)

func (l lab) spec(output string) job.Spec {
	return job.Spec{Program: "sort", Kind: "builtin", Input: job.Inputs(filepath.Join(l.folder, "in.txt")), Output: filepath.Join(l.folder, output)}
}

// A job that would have too many tasks fails when it is planned, and leaves no plan.
func TestJobsOfTooManyTasksFail(t *testing.T) {
	l := newLab(t, func(cfg *Config) { cfg.MaxTasks = 12 })
	l.write(filepath.Join(l.folder, "in.txt"), strings.Repeat("ten bytes\n", 10))
	reducers := 2
	for id, split := range map[job.ID]job.ByteSize{"fits": 10, "large": 9} {
		spec := l.spec(string(id))
		spec.SplitSize, spec.Reducers = split, &reducers
		l.submit(id, spec)
		if err := l.step(id).plan(t.Context()); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if theJob := l.job("fits"); theJob.Phase != job.PhaseMap {
		t.Errorf("the one that fits is in %s: %+v", theJob.Phase, theJob.Error)
	}
	j := l.job("large")
	if j.State != job.Failed || j.Error == nil || !strings.Contains(j.Error.Message, "14 tasks, 12 maps and 2 reducers; at most 12") {
		t.Errorf("%s %+v", j.State, j.Error)
	}
	for o, err := range l.work.List(t.Context(), l.records("large").PlanFolders()) {
		t.Errorf("%s is left, %v", o.Key, err)
	}
}

// A job's record names its submitter, who is known after Redis has lost the job.
func TestSubmitterOutlivesRedis(t *testing.T) {
	l := newLab(t, func(cfg *Config) { cfg.Durable = true })
	_, err := l.SubmitFor(t.Context(), "bob", "j", l.spec("out"))
	l.must(err)
	l.must(l.cfg.Store.Drop(t.Context(), "j"))
	l.must(l.restore(t.Context()))
	if job := l.job("j"); job.SubmittedBy != "bob" || !job.Restored {
		t.Errorf("it is of %q", job.SubmittedBy)
	}
	if admitted, err := l.cfg.Store.Admit(t.Context(), "bob", "k", 1); admitted || err != nil {
		t.Errorf("it does not count: %v", err)
	}
}

// ended makes a job that has failed and was cleaned up.
func (l lab) ended(id job.ID, params job.Params) {
	l.t.Helper()
	spec := l.spec(string(id))
	spec.Params = params
	l.submit(id, spec)
	l.must(l.cfg.Store.Stop(l.t.Context(), id, state.AnyStage, job.Failed, job.Failure{Class: job.ClassJob}))
	l.must(l.cfg.Store.Forget(l.t.Context(), id, state.AnyStage, time.Hour))
}

// A deletion can be repeated wherever it stopped, and a job whose deletion a crash interrupts is
// not restored.
func TestDeleteIsRepeatable(t *testing.T) {
	l := newLab(t, func(cfg *Config) { cfg.Durable = true; cfg.History = time.Hour })
	ctx := t.Context()
	l.ended("j", nil)
	log := l.records("j").LogFolder() + "m0.1.log"
	_, err := l.work.Put(ctx, log, []byte("text"))
	l.must(err)
	l.submit("running", l.spec("running"))
	if err := l.Delete(ctx, "running"); !errors.Is(err, state.ErrIllegal) {
		t.Errorf("a running job: %v", err)
	}
	// The controller dies after it has deleted the records on the store.
	l.must(l.dropRecords(ctx, "j"))
	l.must(l.Delete(ctx, "j"))
	if _, err := l.work.Stat(ctx, log); !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("its log: %v", err)
	}
	if err := l.Delete(ctx, "j"); !errors.Is(err, state.ErrNoJob) {
		t.Errorf("again: %v", err)
	}
	l.must(l.restore(ctx))
	if known, err := l.cfg.Store.Known(ctx, "j"); known || err != nil {
		t.Errorf("it came back: %v", err)
	}
}

// When Redis is almost full, the history of the oldest jobs that have ended is removed early; jobs
// that have not ended stay.
func TestHistoryGivesWayInAFullRedis(t *testing.T) {
	server := testservices.NewRedis(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr})
	store := state.New(rdb, state.DefaultNamespace)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	l := newLab(t, func(cfg *Config) { cfg.Store = store })
	ctx := t.Context()
	l.submit("running", l.spec("running"))
	const jobs = 200
	for i := range jobs {
		l.ended(job.ID(fmt.Sprintf("ended-%03d", i)), job.Params{"x": strings.Repeat("x", 60_000)})
	}
	l.must(l.relieve(ctx))
	if ids, err := store.History(ctx, 0, 2*jobs); err != nil || len(ids) != jobs+1 {
		t.Fatalf("%d jobs are left of a Redis without a limit, %v", len(ids), err)
	}
	var used int64
	info, err := rdb.Info(ctx, "memory").Result()
	l.must(err)
	_, after, _ := strings.Cut(info, "used_memory:")
	_, err = fmt.Sscan(after, &used)
	l.must(err)
	l.must(rdb.ConfigSet(ctx, "maxmemory", fmt.Sprint(used*100/105)).Err()) // it is more than full
	l.must(l.relieve(ctx))
	now, most, err := store.Memory(ctx)
	l.must(err)
	if float64(now) > fullUntil*float64(most) {
		t.Errorf("%d of %d bytes are used", now, most)
	}
	ids, err := store.History(ctx, 0, 2*jobs)
	l.must(err)
	if len(ids) < jobs/4 || len(ids) > jobs*9/10 {
		t.Errorf("%d jobs are left", len(ids))
	}
	left := fmt.Sprint(ids)
	for id, want := range map[string]bool{"running": true, "ended-000": false, "ended-199": true} {
		if got := strings.Contains(left, id); got != want {
			t.Errorf("%s is left: %t", id, got)
		}
	}

	// Failed jobs that may be retried are removed last.
	const kept = 50
	l.must(rdb.ConfigSet(ctx, "maxmemory", "0").Err())
	for i := range kept {
		id := job.ID(fmt.Sprintf("kept-%03d", i))
		spec := l.spec(string(id))
		spec.Params = job.Params{"x": strings.Repeat("x", 60_000)}
		l.submit(id, spec)
		l.must(store.Start(ctx, id, state.Outline{Maps: 1}))
		l.must(store.Stop(ctx, id, state.AnyStage, job.Failed, job.Failure{Class: job.ClassJob}))
		l.must(store.Keep(ctx, id, state.AnyStage, time.Hour))
	}
	l.must(rdb.ConfigSet(ctx, "maxmemory", "6mb").Err())
	l.must(l.relieve(ctx)) // the ended jobs are removed, which is enough
	if j := l.job("kept-000"); j.Phase != job.PhaseKept {
		t.Errorf("it is in %s", j.Phase)
	}
	now, _, err = store.Memory(ctx)
	l.must(err)
	l.must(rdb.ConfigSet(ctx, "maxmemory", fmt.Sprint(now*100/95)).Err())
	l.must(l.relieve(ctx))
	if ids, err := store.History(ctx, 0, 2*jobs); err != nil || len(ids) != kept+1 {
		t.Errorf("%d jobs are left, %v", len(ids), err)
	}
	for i := range kept {
		if j := l.job(job.ID(fmt.Sprintf("kept-%03d", i))); j.Phase != job.PhaseCleanup {
			t.Errorf("%s is in %s", j.ID, j.Phase)
		}
	}
}
