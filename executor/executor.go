// Package executor claims tasks, does them, and commits what they made.
//
// An executor holds nothing that matters: inputs, intermediates and outputs are on the
// store, the state of tasks is in Redis. Its local disk is scratch space. It may be killed
// at any moment; another one then does its tasks again.
//
// Five kinds of goroutine work together. The claim loop (claim.go) takes tasks while slots
// are free. The heartbeat (lease.go) renews the leases of all attempts that run and stops
// those that are lost. The listener has it do so at once when a job was stopped. What several attempts
// need, such as the program or the map outputs, is fetched once for all of them (flight.go). Each
// attempt (attempt.go) has a goroutine of its own, and ends in exactly one of: commit, fail, hand
// back, or nothing if it was given away.
package executor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// Config is what an executor needs.
type Config struct {
	ID    job.ExecutorID  // names this process; no two that live share one
	Store *state.Store    // control state
	Open  objstore.Opener // for inputs, outputs and the work store
	Work  string          // URL of the prefix for plans, artifacts and intermediates; as the controllers have it
	Log   *slog.Logger

	Slots   int    // attempts that run side by side; at least 1
	Memory  int64  // bytes for the buffers of all slots together; at least MinMemory per slot
	Scratch string // folder on local disk for spills and programs; made if missing; this executor's alone

	// Lease is how long an attempt outlives its executor's last heartbeat; default 30s.
	// Heartbeat is the time between two; default 5s, at most a third of Lease.
	Lease, Heartbeat time.Duration
	// Limits of failures; zero fields take the defaults.
	Limits state.Limits
	// Program says how user programs are run.
	Program program.Config
	// ProgramMemory is how much data one attempt's program may have in memory, in bytes, each of
	// its processes by itself; 0: there is no limit.
	ProgramMemory int64
	// Users are who programs run as; nil: the executor's own user. There is one, whom all share, or one for each slot.
	Users *program.Users
	// ProgramLog receives what user programs write to standard error, whole lines at a time,
	// from all attempts; nil drops it. The end of it is kept for failures in any case.
	ProgramLog func(attempt job.AttemptID, line []byte)
	// Codec compresses intermediates.
	Codec shuffle.Codec

	// Grace is how long attempts may go on once the executor is told to stop; then they are
	// handed back. Default 0: at once.
	Grace time.Duration
	// KeepLogs puts every attempt's log on the work store, where it outlives the job.
	KeepLogs bool
	// NoBench has the executor claim tasks however many attempts fail here: it is the only one.
	NoBench bool
	// Metrics is where the executor's metrics are registered; nil: nowhere.
	Metrics prometheus.Registerer
	// Version is shown to people who list executors.
	Version string
}

// What a job may ask for, every collector takes.
var _ [shuffle.MaxPartitions - job.MaxReducers]struct{}

// MinMemory is the least memory for a slot, in bytes.
const MinMemory = 16 << 20

func (c *Config) validate() error {
	if c.Lease == 0 {
		c.Lease = 30 * time.Second
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = min(5*time.Second, c.Lease/3)
	}
	c.Limits = c.Limits.Or(state.DefaultLimits)
	switch {
	case c.ID == "" || strings.ContainsAny(string(c.ID), " \n"):
		return fmt.Errorf("executor id %q is empty or has spaces", c.ID)
	case c.Slots < 1:
		return fmt.Errorf("%d slots: at least 1 is needed", c.Slots)
	case c.Memory < MinMemory*int64(c.Slots):
		return fmt.Errorf("memory of %d bytes is too little for %d slots: at least %d MiB each", c.Memory, c.Slots, MinMemory>>20)
	case c.Heartbeat*3 > c.Lease:
		return fmt.Errorf("heartbeat of %v is too slow for a lease of %v: at most a third", c.Heartbeat, c.Lease)
	case c.Scratch == "":
		return errors.New("scratch folder is missing")
	case c.Users != nil && c.Users.Count() > 1 && c.Users.Count() < c.Slots:
		return fmt.Errorf("%d users for the programs of %d slots: want one for each slot, or one for all", c.Users.Count(), c.Slots)
	}
	if c.Users != nil {
		if err := c.Users.Check(); err != nil {
			return err
		}
	}
	return nil
}

// Executor runs tasks until its context ends.
type Executor struct {
	cfg        Config
	work       objstore.Bucket
	workPrefix string
	jobs       *jobCache
	metrics    *metrics
	users      chan *program.User // that no attempt's program runs as

	bench   bench
	working context.Context // ends when attempts must; set before the first one begins
	shared  sync.WaitGroup  // flights
	logs    sync.WaitGroup  // uploads of growing logs

	mu       sync.Mutex
	attempts map[job.AttemptID]*attempt // guarded by mu: those that run

	leftovers leftovers
	others    singleflight.Group // questions whether there are other executors

	info     state.ExecutorInfo // confined to the heartbeat
	usage    usage              // confined to the heartbeat
	draining atomic.Bool

	pythonMu sync.Mutex
	found    *program.Config // guarded by pythonMu: cfg.Program with its interpreter found
}

// New checks the configuration and makes the scratch folder.
func New(ctx context.Context, cfg Config) (*Executor, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := program.PassableFolder(cfg.Scratch); err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	work, prefix, err := cfg.Open(ctx, cfg.Work)
	if err != nil {
		return nil, fmt.Errorf("open work store: %w", err)
	}
	e := &Executor{
		cfg: cfg, work: work, workPrefix: strings.Trim(prefix, "/"),
		attempts: map[job.AttemptID]*attempt{}, leftovers: leftovers{log: cfg.Log},
	}
	e.users = make(chan *program.User, cfg.Slots)
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
	if err := program.RemoveScratch(e.cfg.Scratch); err != nil {
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

// A slot writes one object at a time, three parts of which are in memory.
const (
	partShare = 64 // one part in so many of a slot's memory for a part
	maxPart   = 64 << 20
)

// MostPart is how large the parts become, in bytes, of what an executor uploads whose slots have so many bytes of
// memory.
func MostPart(slotMemory int64) int64 { return min(slotMemory/partShare, maxPart) }

// python returns the configuration for Python programs. The interpreter is looked for once.
func (e *Executor) python(ctx context.Context) (program.Config, error) {
	e.pythonMu.Lock()
	defer e.pythonMu.Unlock()
	if e.found != nil {
		return *e.found, nil
	}
	cfg, err := e.cfg.Program.FindPython(ctx)
	if err == nil {
		e.found = &cfg
	}
	return cfg, err
}
