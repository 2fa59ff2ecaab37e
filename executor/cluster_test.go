package executor_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/state/embedded"
)

const (
	patience = 60 * time.Second
	// forEver is a lease that does not end during a test; soon is one that does.
	forEver = time.Hour
	soon    = 300 * time.Millisecond
)

// cluster is a controller, an embedded Redis and a folder. Tests add executors.
type cluster struct {
	t      *testing.T
	folder string
	redis  *embedded.Embedded
	store  *state.Store
	open   objstore.Opener
	log    *slog.Logger
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := newIdleCluster(t)
	c.boss(nil)
	return c
}

// newIdleCluster returns a cluster without a controller.
func newIdleCluster(t *testing.T) *cluster {
	t.Helper()
	server, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	c := newFolder(t)
	c.redis = server
	c.store = c.connect(&redis.Options{})
	return c
}

// newFolder returns a cluster that has a folder only.
func newFolder(t *testing.T) *cluster {
	t.Helper()
	stores, err := connect.New(connect.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{t: t, folder: t.TempDir(), open: stores.Open, log: slog.New(slog.DiscardHandler)}
}

// boss starts a controller; change may be nil.
func (c *cluster) boss(change func(*controller.Config)) *controller.Controller {
	c.t.Helper()
	cfg := controller.Config{
		Kinds: kinds.All().Jobs(),
		ID:    "boss", Store: c.store, Open: c.open, Work: c.path("work"), Log: c.log,
	}
	if change != nil {
		change(&cfg)
	}
	boss, err := controller.New(c.t.Context(), cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.run(boss.Run)
	return boss
}

func (c *cluster) path(name string) string { return filepath.Join(c.folder, name) }

// client returns a client of the cluster's Redis with these options.
func (c *cluster) client(options *redis.Options) *redis.Client {
	c.t.Helper()
	server, err := redis.ParseURL(c.redis.URL())
	if err != nil {
		c.t.Fatal(err)
	}
	options.Addr, options.Password = server.Addr, server.Password
	return redis.NewClient(options)
}

// connect returns a state.Store with the caller's hooks and network.
func (c *cluster) connect(options *redis.Options, hooks ...redis.Hook) *state.Store {
	c.t.Helper()
	options.ContextTimeoutEnabled = true
	rdb := c.client(options)
	for _, hook := range hooks {
		rdb.AddHook(hook)
	}
	store := state.New(rdb, state.DefaultNamespace)
	c.t.Cleanup(func() {
		if err := store.Close(); err != nil {
			c.t.Error(err)
		}
	})
	return store
}

// run runs a part of the cluster until the test ends, or until the returned function is called.
func (c *cluster) run(part func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.t.Context()))
	done := make(chan error, 1)
	go func() { done <- part(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				c.t.Error(err)
			}
		case <-time.After(patience):
			c.t.Error("a part of the cluster did not end")
		}
	}
	c.t.Cleanup(stop)
	return stop
}

// executor starts an executor with two slots; change may be nil.
func (c *cluster) executor(id job.ExecutorID, lease time.Duration, change func(*executor.Config)) (stop func()) {
	c.t.Helper()
	if lease == soon {
		c.t.Attr("timing", "leases of 300 ms end early on a busy machine")
	}
	cfg := executor.Config{
		ID: id, Store: c.store, Open: c.open, Work: c.path("work"), Log: c.log,
		Slots: 2, Memory: 64 << 20, Scratch: filepath.Join(c.t.TempDir(), "scratch"), Lease: lease, Heartbeat: lease / 6,
		Limits: state.Limits{Backoff: time.Millisecond},
	}
	if change != nil {
		change(&cfg)
	}
	e, err := executor.New(c.t.Context(), cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.run(e.Run)
}

// Words are the input of the jobs: word N, N times.
const words = 9

// submit starts a job that counts words, with four map tasks and a number of reducers.
func (c *cluster) submit(reducers int) job.ID {
	c.t.Helper()
	spec := c.spec(reducers)
	spec.KeepIntermediates = true
	return c.submitSpec(spec)
}

func (c *cluster) submitSpec(spec job.Spec) job.ID {
	c.t.Helper()
	id := job.NewID()
	if _, err := controller.Submit(c.t.Context(), c.store, id, spec); err != nil {
		c.t.Fatal(err)
	}
	return id
}

// spec writes the input of a job that counts words, and returns the job's spec.
func (c *cluster) spec(reducers int) job.Spec {
	c.t.Helper()
	var text strings.Builder
	for n := 1; n <= words; n++ {
		for range n {
			fmt.Fprintf(&text, "word%d\n", n)
		}
	}
	if err := os.WriteFile(c.path("in.txt"), []byte(text.String()), 0o644); err != nil {
		c.t.Fatal(err)
	}
	return job.Spec{
		Program: "wordcount", Kind: "builtin", Input: job.Inputs(c.path("in.txt")), Output: c.path("out"),
		Maps: 4, Reducers: &reducers,
	}
}

// completed waits until a job is COMPLETED, and checks its output.
func (c *cluster) completed(id job.ID) state.Job {
	c.t.Helper()
	j := c.wait(id, func(theJob state.Job) bool { return theJob.Phase == job.PhaseEnded })
	if j.State != job.Completed {
		failures, err := c.store.Failures(c.t.Context(), id)
		c.t.Fatalf("%s: %+v, %v, %v", j.State, j.Error, failures, err)
	}
	counts := map[string]int{}
	for _, name := range c.files("out") {
		text, err := os.ReadFile(c.path("out/" + name))
		if err != nil {
			c.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var word string
			var n int
			if k, err := fmt.Sscanf(line, "%s\t%d\n", &word, &n); err == nil && k == 2 && strings.HasPrefix(word, "word") {
				counts[word] += n
			}
		}
	}
	for n := 1; n <= words; n++ {
		if word := fmt.Sprintf("word%d", n); counts[word] != n {
			c.t.Errorf("%s is counted %d times", word, counts[word])
		}
	}
	counters, err := c.store.Counters(c.t.Context(), id)
	if err != nil || counters["map_input_records"] != words*(words+1)/2 {
		c.t.Errorf("%d input records are counted, %v", counters["map_input_records"], err)
	}
	return j
}

func (c *cluster) wait(id job.ID, ok func(state.Job) bool) (job state.Job) {
	c.t.Helper()
	c.eventually("what the test waits for", func() bool {
		var err error
		if job, err = c.store.Job(c.t.Context(), id); err != nil {
			c.t.Fatal(err)
		}
		return ok(job)
	})
	return job
}

func (c *cluster) eventually(what string, ok func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: not within %v", what, patience)
		}
		<-poll.C
	}
}

// files lists the files in a folder of the cluster.
func (c *cluster) files(folder string) (names []string) {
	c.t.Helper()
	err := filepath.WalkDir(c.path(folder), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(path, c.path(folder)+"/"))
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// checkWritten checks that a job of four map tasks and this number of reducers has written its
// objects, and nothing else.
func (c *cluster) checkWritten(reducers int) {
	c.t.Helper()
	if reducers == 0 {
		c.checkFiles(4, 0)
	} else {
		c.checkFiles(reducers, 4)
	}
}

// checkFiles checks that the output has this number of parts and the work store this number of
// segment files, and that losing attempts have left nothing.
func (c *cluster) checkFiles(parts, segments int) {
	c.t.Helper()
	if names := c.files("out"); len(names) != parts+1 || names[0] != layout.SuccessName {
		c.t.Errorf("the output has %q", names)
	}
	n := 0
	for _, name := range c.files("work") {
		switch filepath.Ext(name) {
		case ".seg":
			n++
		case ".pending":
			c.t.Errorf("left behind: %s", name)
		}
	}
	if n != segments {
		c.t.Errorf("%d segment files are left, want %d: %q", n, segments, c.files("work"))
	}
}
