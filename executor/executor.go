// Package executor claims tasks, does them, and commits what they made.
//
// An executor holds nothing that matters: inputs, intermediates and outputs are on the store, the
// state of tasks is in Redis. Its local disk is scratch space. It may be killed at any moment;
// another one then does its tasks again.
//
// Five kinds of goroutine work together. The claim loop (claim.go) takes tasks while slots are
// free. The heartbeat (lease.go) renews the leases of all attempts that run and stops those that
// are lost. The listener has it do so at once when a job was stopped. What several attempts need,
// such as the program or the map outputs, is fetched once for all of them (sharedcall.go). Each
// attempt (attempt.go) has a goroutine of its own, and ends in exactly one of: commit, fail, hand
// back, or nothing if it was given away.
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

// What a job may ask for, every collector takes.
var _ [segfile.MaxPartitions - job.MaxReducers]struct{}

// Executor runs tasks until its context ends.
type Executor struct {
	cfg        Config
	work       objstore.Bucket
	workPrefix string
	jobs       *jobCache
	metrics    *metrics
	users      chan *process.User // that no attempt's program runs as

	breaker breaker
	working context.Context // ends when attempts must; set before the first one begins
	shared  sync.WaitGroup  // work of share
	logs    sync.WaitGroup  // uploads of growing logs

	mu       sync.Mutex
	attempts map[job.AttemptID]*attempt // guarded by mu: those that run

	leftovers leftovers
	others    singleflight.Group // questions whether there are other executors

	info     state.ExecutorInfo // confined to the heartbeat
	usage    usage              // confined to the heartbeat
	draining atomic.Bool

	readyMu sync.Mutex
	ready   map[string]program.Config // guarded by readyMu: cfg.Program made ready for a kind, by its name
}

// New checks the configuration and makes the scratch folder.
func New(ctx context.Context, cfg Config) (*Executor, error) {
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

// Run works until ctx ends. It then claims no more, lets what it runs go on for the grace
// period, hands back the rest, waits for every attempt to stop, empties its scratch folder,
// and returns nil.
func (e *Executor) Run(ctx context.Context) error {
	// Attempts, and the heartbeat that keeps them ours, outlive the claim loop.
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
		return fmt.Errorf("empty scratch folder: %w", err)
	}
	return nil
}

// Running names the attempts that run.
func (e *Executor) Running() []job.AttemptID {
	var ids []job.AttemptID
	for _, a := range e.running() {
		ids = append(ids, a.Attempt)
	}
	return ids
}

// slotMemory is one slot's share of the memory budget, in bytes.
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
