// Package executor claims tasks, runs them, and commits their results.
//
// Executors are stateless: inputs, segment files and outputs are on the store, the state of tasks
// is in Redis, and the local disk is scratch space. An executor may be killed at any moment;
// another one then runs its tasks again.
//
// What a map task does is in maptask.go, what a reduce task does in reducetask.go, and what both
// have in common in task.go.
//
// Five kinds of goroutine work together. The claim loop (claim.go) claims tasks while slots are
// free. The heartbeat (lease.go) renews the leases of all running attempts and stops those that are
// lost. The listener (lease.go) makes the heartbeat renew at once when a job was stopped. What
// several attempts need, such as the program or the manifests, is fetched once for all of them by
// a shared call (sharedcall.go). Each attempt (attempt.go) runs in a goroutine, and ends in exactly
// one of: commit, fail, hand back, or nothing if its task was reassigned.
package executor

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/singleflight"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// Every collector takes as many partitions as a job may ask for.
var _ [segfile.MaxPartitions - job.MaxReducers]struct{}

// Executor runs tasks until its context ends.
type Executor struct {
	cfg        Config
	work       objstore.Bucket
	workPrefix string
	jobs       *jobCache
	metrics    *metrics
	users      chan *process.User // the users that no attempt has

	breaker breaker
	// working is the context of shared work, which belongs to no attempt. Run sets it before it
	// claims the first task, and it ends when the executor's attempts must end.
	working context.Context
	shared  sync.WaitGroup // shared work
	logs    sync.WaitGroup // uploads of growing logs

	mu       sync.Mutex
	attempts map[job.AttemptID]*attempt // guarded by mu: the running ones

	leftovers leftovers
	others    singleflight.Group // requests of alone

	info     state.ExecutorInfo // confined to the heartbeat
	usage    usage              // confined to the heartbeat
	draining atomic.Bool

	readyMu sync.Mutex
	ready   map[string]program.Config // guarded by readyMu: cfg.Program made ready for a kind, by its name
}

// New checks the configuration and makes the scratch folder.
func New(ctx context.Context, cfg Config) (*Executor, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := process.PassableFolder(cfg.Scratch); err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	work, prefix, err := cfg.Open(ctx, cfg.Work)
	if err != nil {
		return nil, fmt.Errorf("open work store: %w", err)
	}
	e := &Executor{
		cfg: cfg, work: work, workPrefix: strings.Trim(prefix, "/"),
		attempts: map[job.AttemptID]*attempt{}, leftovers: leftovers{log: cfg.Log}, ready: map[string]program.Config{},
	}
	e.users = make(chan *process.User, cfg.Slots)
	for i := range cfg.Slots {
		e.users <- cfg.Users.At(i)
	}
	e.jobs = newJobCache(e, filepath.Join(cfg.Scratch, "jobs"))
	e.metrics = newMetrics(cfg.Metrics, e)
	return e, nil
}

// Run runs tasks until ctx ends. Then it claims no more, lets the running attempts continue for the
// grace period, hands back those that are still running, waits until every attempt has stopped,
// removes its scratch folder, and returns nil.
func (e *Executor) Run(ctx context.Context) error {
	// Attempts, and the heartbeat that renews their leases, outlive the claim loop.
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	e.working = working
	beating, stopBeating := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBeating()
	var helpers sync.WaitGroup
	news := make(chan struct{}, 1)
	helpers.Go(func() { e.heartbeat(beating, news) })
	helpers.Go(func() { e.listen(beating, news) })
	helpers.Go(func() {
		<-ctx.Done()
		e.draining.Store(true)
		pause(beating, e.cfg.Grace)
		stopWork()
	})
	e.claimLoop(ctx, working)
	stopWork()
	e.shared.Wait()
	stopBeating()
	helpers.Wait()
	e.logs.Wait()
	if err := process.RemoveScratch(e.cfg.Scratch); err != nil {
		return fmt.Errorf("remove the scratch folder: %w", err)
	}
	return nil
}

// Running returns the running attempts.
func (e *Executor) Running() []job.AttemptID {
	var ids []job.AttemptID
	for _, a := range e.running() {
		ids = append(ids, a.Attempt)
	}
	return ids
}

// slotMemory returns one slot's share of the memory, in bytes.
func (e *Executor) slotMemory() int64 { return e.cfg.Memory / int64(e.cfg.Slots) }

// programConfig returns the configuration for programs of a kind, which is made ready once.
func (e *Executor) programConfig(ctx context.Context, kind *program.Kind) (program.Config, error) {
	e.readyMu.Lock()
	defer e.readyMu.Unlock()
	if cfg, ok := e.ready[kind.Name]; ok {
		return cfg, nil
	}
	cfg, err := kind.Ready(ctx, e.cfg.Program)
	if err == nil {
		e.ready[kind.Name] = cfg
	}
	return cfg, err
}
