// Package controller moves jobs along: it plans them, gives away the work of executors that
// went silent, publishes their output, and cleans up after them.
//
// A controller holds nothing that matters. Whatever it does for a job it reads from Redis
// and the store, does idempotently, and ends with one fenced transition (package state). Any
// number of controllers may run; one that is killed, or paused and back, does no harm.
package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// Config is what a controller needs.
type Config struct {
	ID     string          // names this process among the controllers
	Store  *state.Store    // control state
	Open   objstore.Opener // for inputs, outputs and the work store
	Work   string          // URL of the prefix for plans, artifacts and intermediates; shared with the executors
	Limits state.Limits    // how often tasks may fail; zero fields take the defaults
	Log    *slog.Logger

	// Interval is how often leases are swept and jobs looked after when nobody calls;
	// default 1s, the least that Redis's blocking calls can tell apart.
	Interval time.Duration
	// History is how long an ended job's record is kept; default 7 days, negative: not at all.
	History time.Duration
	// KeepFailed is how long a failed job's plan and committed maps are kept, so that it may
	// be retried; default 0: they are removed at once.
	KeepFailed time.Duration
	// PlanTimeout and PublishTimeout are for how long a controller tries a store that does not answer before
	// the job fails; default 10m.
	PlanTimeout, PublishTimeout time.Duration
	// CleanupTimeout is how long such a store is tried before what is left stays; default 24h.
	CleanupTimeout time.Duration
	// Durable has jobs written to the work store as well, and brings them back from there when
	// Redis has lost its data. It is for a Redis that others look after.
	Durable bool
	// Slots is how many tasks all executors do side by side, where that is known beforehand; 0: Redis is
	// asked when a job is planned.
	Slots int
	// MaxTasks is how many tasks, maps and reducers together, a job may have; 0 sets no limit.
	MaxTasks int
	// NoBackups leaves stragglers alone: see backUp.
	NoBackups bool
	// OrphanAge is how old what lies on the work store must be to be removed when Redis does
	// not know the job; default 7 days, at least History.
	OrphanAge time.Duration
	// Abandoned is told what of a job's could not be looked for and removed, and why; may be nil.
	Abandoned func(id job.ID, what string, why error)
	// Reads says what a record must be for a builtin that passes over malformed ones; empty of all other programs. Nil:
	// a job none of whose records was usable completes.
	Reads func(builtin string) string
	// Metrics is where the controller's metrics are registered; nil: nowhere.
	Metrics prometheus.Registerer
	// Notify tells spec.Webhook how a job ended; nil: nobody is told. It is called at least once
	// for each ending, for at most notifyTimeout, and perhaps by several controllers at a time.
	Notify func(ctx context.Context, job state.Job, spec job.Spec, counters map[string]int64) error
}

// Controller looks after jobs until its context ends.
type Controller struct {
	cfg        Config
	work       objstore.Bucket
	workPrefix string
	metrics    *metrics

	working sync.WaitGroup // what goes on for jobs, and chores
	sweeps  *semaphore.Weighted
	works   *semaphore.Weighted

	mu    sync.Mutex
	notes map[job.ID]*note // guarded by mu
	// reportsUntil is how long this controller is the one that reports what the cluster is like; guarded by mu.
	reportsUntil time.Time

	unreadable map[job.ID]bool // guarded by mu: lost jobs whose records can't be read, of which the log says so
}

const (
	// sweepsAtOnce is how many jobs' leases one controller looks at side by side.
	sweepsAtOnce = 16
	// worksAtOnce is how many jobs it plans, publishes and cleans up side by side. Most wait for the store;
	// jobs whose stores don't answer must leave room for the others.
	worksAtOnce = 256
)

// minderTTL is how long a job stays with a controller that says no more; see state.Store.Mind.
const minderTTL = 15 * time.Second

// New checks the configuration.
func New(ctx context.Context, cfg Config) (*Controller, error) {
	cfg.Limits = cfg.Limits.Or(state.DefaultLimits)
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
	}
	if cfg.History == 0 {
		cfg.History = 7 * 24 * time.Hour
	}
	cfg.PlanTimeout = cmp.Or(cfg.PlanTimeout, 10*time.Minute)
	cfg.PublishTimeout = cmp.Or(cfg.PublishTimeout, 10*time.Minute)
	cfg.CleanupTimeout = cmp.Or(cfg.CleanupTimeout, 24*time.Hour)
	cfg.OrphanAge = max(cmp.Or(cfg.OrphanAge, 7*24*time.Hour), cfg.History)
	work, prefix, err := cfg.Open(ctx, cfg.Work)
	if err != nil {
		return nil, fmt.Errorf("open work store: %w", err)
	}
	return &Controller{
		cfg: cfg, work: work, workPrefix: strings.Trim(prefix, "/"), metrics: newMetrics(cfg.Metrics), notes: map[job.ID]*note{}, unreadable: map[job.ID]bool{},
		sweeps: semaphore.NewWeighted(sweepsAtOnce), works: semaphore.NewWeighted(worksAtOnce),
	}, nil
}

// lookAfter gives away what a job's dead executors had claimed, and does for the job whatever its phases
// ask for, until it must wait for executors.
func (c *Controller) lookAfter(ctx context.Context, id job.ID) error {
	phase, err := c.sweep(ctx, id)
	if err != nil || !hasWork(phase) || c.rests(id, phase) {
		return err
	}
	if err := c.works.Acquire(ctx, 1); err != nil {
		return err
	}
	defer c.works.Release(1)
	mine, err := c.cfg.Store.Mind(ctx, id, c.cfg.ID, minderTTL)
	if err != nil || !mine {
		return err
	}
	for {
		before, err := c.cfg.Store.Job(ctx, id)
		if errors.Is(err, state.ErrNoJob) {
			return nil
		}
		if err != nil {
			return err
		}
		if !hasWork(before.Phase) || before.Phase == job.PhaseKept && time.Now().Before(before.KeptUntil) {
			c.keptFor(before)
			return c.cfg.Store.Leave(ctx, id, c.cfg.ID)
		}
		if err := c.advance(ctx, before); err != nil {
			return errors.Join(err, c.cfg.Store.Leave(ctx, id, c.cfg.ID))
		}
	}
}

// sweep gives away attempts that lost their leases or make no progress, has stragglers backed up, and returns
// the job's phase; "": there is no such job, since it was submitted this moment or is gone.
func (c *Controller) sweep(ctx context.Context, id job.ID) (job.Phase, error) {
	if err := c.sweeps.Acquire(ctx, 1); err != nil {
		return "", err
	}
	defer c.sweeps.Release(1)
	swept, err := c.cfg.Store.Sweep(ctx, id, c.cfg.Limits)
	if errors.Is(err, state.ErrNoJob) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	c.metrics.lost.Add(float64(swept.Lost))
	if swept.Lost > 0 {
		c.cfg.Log.Warn("gave away attempts that lost their leases or make no progress", "job", id, "attempts", swept.Lost)
	}
	if hasWork(swept.Phase) || swept.Ready > 0 || swept.Phase == job.PhaseEnded || c.cfg.NoBackups {
		return swept.Phase, nil
	}
	return swept.Phase, c.backUp(ctx, id)
}

// hasWork tells whether a phase is a controller's business.
func hasWork(p job.Phase) bool {
	return p == job.PhasePlan || p == job.PhasePublish || p == job.PhaseCleanup || p == job.PhaseKept
}

// advance does the work of one phase. That the job was moved on by somebody else meanwhile
// is no error.
func (c *Controller) advance(ctx context.Context, j state.Job) error {
	spec, err := jobfile.Parse(j.Spec)
	if err != nil && (j.Phase == job.PhasePlan || j.Phase == job.PhasePublish) {
		return c.fail(ctx, j, err) // the clean-up makes do with what there is
	}
	switch j.Phase {
	case job.PhasePlan:
		err = c.plan(ctx, j, spec)
	case job.PhasePublish:
		err = c.publish(ctx, j, spec)
	case job.PhaseCleanup:
		err = c.cleanUp(ctx, j, spec)
	case job.PhaseKept:
		err = c.cfg.Store.Discard(ctx, j.ID, j.Stage)
	}
	if errors.Is(err, state.ErrIllegal) || errors.Is(err, state.ErrNoJob) {
		return nil
	}
	return err
}

// fail settles a job as failed by why, if it still is where the record says.
func (c *Controller) fail(ctx context.Context, j state.Job, why error) error {
	err := c.cfg.Store.Stop(ctx, j.ID, j.Stage, job.Failed, job.Failure{Class: job.ClassJob, Message: why.Error()})
	if err == nil {
		c.cfg.Log.Error("job failed", "job", j.ID, "error", why)
	}
	return err
}

// transient tells whether an error of the store may go away by itself.
func transient(err error) bool {
	return errors.Is(err, objstore.ErrThrottled) || errors.Is(err, objstore.ErrUnavailable) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// passing tells whether a stage's work should be tried again after an error: for a while when it is the
// store's, and always when it is Redis's, without which nothing can be decided about the job. The while
// begins when this controller first met such an error: the job may have waited before, since no controller was
// there or Redis had lost it.
func (c *Controller) passing(job state.Job, err error, patience time.Duration) bool {
	if !transient(err) && !errors.Is(err, errOutputBusy) { // an unreachable store's error may hold a network's, too
		return state.IsOutage(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.note(job.ID)
	if n.trouble.stage != job.Stage {
		n.trouble = trouble{stage: job.Stage, since: time.Now()}
	}
	return time.Since(n.trouble.since) < patience
}

func (c *Controller) layout(j state.Job) (layout.Layout, error) {
	l := c.records(j.ID)
	if j.Plan == "" {
		if j.Restored { // nobody knows how it was planned before
			l.Spread = layout.SpreadFor(job.MaxTasks)
		}
		return l, nil
	}
	plan, err := layout.ParsePlan(j.Plan)
	l.Spread = plan.Spread
	return l, err
}
