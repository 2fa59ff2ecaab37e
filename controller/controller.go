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
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// Opener returns the bucket and the key that a URL names; it makes no request.
type Opener func(ctx context.Context, url string) (objstore.Bucket, string, error)

// Config is what a controller needs.
type Config struct {
	ID     string       // names this process among the controllers
	Store  *state.Store // control state
	Open   Opener       // for inputs, outputs and the work store
	Work   string       // URL of the prefix for plans, artifacts and intermediates; shared with the executors
	Limits state.Limits // how often tasks may fail; zero fields take the defaults
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
	// NoBackups leaves stragglers alone: see backUp.
	NoBackups bool
	// OrphanAge is how old what lies on the work store must be to be removed when Redis does
	// not know the job; default 7 days, at least History.
	OrphanAge time.Duration
	// Abandoned is told what of a job's could not be looked for and removed, and why; may be nil.
	Abandoned func(id state.JobID, what string, why error)
	// Notify tells spec.Webhook how a job ended; nil: nobody is told. It is called at least once
	// for each ending, for at most notifyTimeout, and perhaps by several controllers at a time.
	Notify func(ctx context.Context, job state.Job, spec state.Spec, counters map[string]int64) error
}

// Controller looks after jobs until its context ends.
type Controller struct {
	cfg        Config
	work       objstore.Bucket
	workPrefix string

	mu       sync.Mutex
	kept     map[state.JobID]time.Time // guarded by mu: until when kept jobs need no look
	troubles map[state.JobID]trouble   // guarded by mu
}

// jobsAtOnce is how many jobs one controller works on at a time.
const jobsAtOnce = 16

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
		cfg: cfg, work: work, workPrefix: strings.Trim(prefix, "/"), kept: map[state.JobID]time.Time{},
		troubles: map[state.JobID]trouble{},
	}, nil
}

// Run looks after jobs until ctx ends, and then returns nil. Trouble with Redis or the store
// is logged and tried again.
func (c *Controller) Run(ctx context.Context) error {
	chores := []chore{
		{what: "tidy up after old jobs", do: c.tidy, every: janitorInterval},
		{what: "unlock outputs of jobs that are over", do: c.freeOutputs, every: janitorInterval},
	}
	if c.cfg.Durable {
		chores = append(
			chores,
			chore{what: "look for jobs that Redis does not know", do: c.restore, every: reconcileInterval, last: time.Now()},
			chore{what: "look for what belongs to no job", do: c.collect, every: orphanInterval, last: time.Now()},
		)
	}
	for ctx.Err() == nil {
		if err := c.Step(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Log.Error("look after jobs", "error", err)
		}
		for i := range chores {
			if err := chores[i].perform(ctx); err != nil && ctx.Err() == nil {
				c.cfg.Log.Error("chore failed", "chore", chores[i].what, "error", err)
			}
		}
		if err := c.cfg.Store.WaitControl(ctx, c.cfg.Interval); err != nil && ctx.Err() == nil {
			c.cfg.Log.Error("wait for calls", "error", err)
			pause(ctx, c.cfg.Interval)
		}
	}
	return nil
}

// chore is something that a controller does now and then.
type chore struct {
	what  string
	do    func(context.Context) error
	every time.Duration
	last  time.Time
}

// perform does it if it is due.
func (c *chore) perform(ctx context.Context) error {
	if time.Since(c.last) <= c.every {
		return nil
	}
	c.last = time.Now()
	return c.do(ctx)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// Step looks once after every job that has not ended. A job's trouble does not keep the
// others from their turn.
func (c *Controller) Step(ctx context.Context) error {
	if err := c.ensureRestored(ctx); err != nil {
		return err
	}
	jobs, err := c.cfg.Store.Active(ctx)
	if err != nil {
		return err
	}
	c.forgetOthers(jobs)
	var g errgroup.Group
	g.SetLimit(jobsAtOnce)
	for _, id := range jobs {
		g.Go(func() error {
			if err := c.lookAfter(ctx, id); err != nil && ctx.Err() == nil {
				c.cfg.Log.Error("look after job", "job", id, "error", err)
			}
			return nil
		})
	}
	return g.Wait()
}

// lookAfter does for a job whatever its phases ask for, until it must wait for executors.
func (c *Controller) lookAfter(ctx context.Context, id state.JobID) error {
	swept, err := c.cfg.Store.Sweep(ctx, id, c.cfg.Limits)
	if errors.Is(err, state.ErrNoJob) {
		return nil // submitted this moment, or gone
	}
	if err != nil {
		return err
	}
	if swept.Lost > 0 {
		c.cfg.Log.Warn("gave away attempts that lost their leases or make no progress", "job", id, "attempts", swept.Lost)
	}
	if !hasWork(swept.Phase) {
		if swept.Ready > 0 || swept.Phase == state.PhaseEnded || c.cfg.NoBackups {
			return nil
		}
		return c.backUp(ctx, id)
	}
	if c.rests(id, swept.Phase) {
		return nil
	}
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
		if !hasWork(before.Phase) || before.Phase == state.PhaseKept && time.Now().Before(before.KeptUntil) {
			c.rest(before)
			return c.cfg.Store.Leave(ctx, id, c.cfg.ID)
		}
		if err := c.advance(ctx, before); err != nil {
			return errors.Join(err, c.cfg.Store.Leave(ctx, id, c.cfg.ID))
		}
	}
}

// rests tells whether a job is kept and was looked at before: nothing is to be done for it yet.
func (c *Controller) rests(id state.JobID, phase state.Phase) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	until, known := c.kept[id]
	if !known {
		return false
	}
	if phase == state.PhaseKept && time.Now().Before(until) {
		return true
	}
	delete(c.kept, id)
	return false
}

// rest notes until when a job is kept.
func (c *Controller) rest(job state.Job) {
	if job.Phase != state.PhaseKept {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[job.ID] = job.KeptUntil
}

// hasWork tells whether a phase is a controller's business.
func hasWork(p state.Phase) bool {
	return p == state.PhasePlan || p == state.PhasePublish || p == state.PhaseCleanup || p == state.PhaseKept
}

// advance does the work of one phase. That the job was moved on by somebody else meanwhile
// is no error.
func (c *Controller) advance(ctx context.Context, job state.Job) error {
	spec, err := state.ParseSpec(job.Spec)
	if err != nil && (job.Phase == state.PhasePlan || job.Phase == state.PhasePublish) {
		return c.fail(ctx, job, err) // the clean-up makes do with what there is
	}
	switch job.Phase {
	case state.PhasePlan:
		err = c.plan(ctx, job, spec)
	case state.PhasePublish:
		err = c.publish(ctx, job, spec)
	case state.PhaseCleanup:
		err = c.cleanUp(ctx, job, spec)
	case state.PhaseKept:
		err = c.cfg.Store.Discard(ctx, job.ID, job.Stage)
	}
	if errors.Is(err, state.ErrIllegal) || errors.Is(err, state.ErrNoJob) {
		return nil
	}
	return err
}

// fail settles a job as failed by why, if it still is where the record says.
func (c *Controller) fail(ctx context.Context, job state.Job, why error) error {
	err := c.cfg.Store.Stop(ctx, job.ID, job.Stage, state.Failed, state.Failure{Class: state.ClassJob, Message: why.Error()})
	if err == nil {
		c.cfg.Log.Error("job failed", "job", job.ID, "error", why)
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
	if !transient(err) { // an unreachable store's error may hold a network's, too
		return state.IsOutage(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.troubles[job.ID]
	if t.stage != job.Stage {
		t = trouble{stage: job.Stage, since: time.Now()}
		c.troubles[job.ID] = t
	}
	return time.Since(t.since) < patience
}

// trouble is that the store does not do what a stage's work needs.
type trouble struct {
	stage state.Stage
	since time.Time
}

// forgetOthers drops what is known of jobs that are not among these.
func (c *Controller) forgetOthers(active []state.JobID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.troubles, func(id state.JobID, _ trouble) bool { return !slices.Contains(active, id) })
	maps.DeleteFunc(c.kept, func(id state.JobID, _ time.Time) bool { return !slices.Contains(active, id) })
}

func (c *Controller) layout(job state.Job) (state.Layout, error) {
	l := c.records(job.ID)
	if job.Plan == "" {
		if job.Restored { // nobody knows how it was planned before
			l.Spread = state.SpreadFor(state.MaxTasks)
		}
		return l, nil
	}
	plan, err := state.ParsePlan(job.Plan)
	l.Spread = plan.Spread
	return l, err
}
