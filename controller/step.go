package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/state"
)

// step is the work on one job in one phase: the job's record as it was read, and what the work
// needs of its spec and its output, parsed and opened once. Its fields don't change.
type step struct {
	*Controller
	job  state.Job
	spec job.Spec // zero if it can't be parsed
	out  *output  // nil if it can't be opened
	// broken says why the spec or the output can't be used. Such a job can neither be planned nor
	// published; cleaning up after it leaves out what can't be known.
	broken error
}

// newStep parses a job's spec and opens its output, without a request.
func (c *Controller) newStep(ctx context.Context, j state.Job) *step {
	s := &step{Controller: c, job: j}
	if s.spec, s.broken = jobfile.Parse(j.Spec); s.broken == nil {
		s.out, s.broken = openOutput(ctx, c.cfg.Open, s.spec.Output)
	}
	return s
}

// layout is where the job's objects on the work store are.
func (s *step) layout() (layout.Layout, error) {
	l := s.records(s.job.ID)
	if s.job.Plan == "" {
		if s.job.Restored { // its earlier plan is unknown
			l.Spread = layout.SpreadFor(job.MaxTasks)
		}
		return l, nil
	}
	plan, err := layout.ParsePlan(s.job.Plan)
	l.Spread = plan.Spread
	return l, err
}

// hasWork reports whether a controller has something to do for a job in phase p.
func hasWork(p job.Phase) bool {
	return p == job.PhasePlan || p == job.PhasePublish || p == job.PhaseCleanup || p == job.PhaseKept
}

// advance reassigns a job's tasks whose executors are dead. If no other controller holds the job,
// it also takes the job through its phases until it must wait for executors.
func (c *Controller) advance(ctx context.Context, id job.ID) error {
	phase, err := c.sweep(ctx, id)
	if err != nil || !hasWork(phase) || c.rests(id, phase) {
		return err
	}
	if err := c.steps.Acquire(ctx, 1); err != nil {
		return err
	}
	defer c.steps.Release(1)
	held, err := c.cfg.Store.HoldJob(ctx, id, c.cfg.ID, holdTTL)
	if err != nil || !held {
		return err
	}
	for {
		j, err := c.cfg.Store.Job(ctx, id)
		if errors.Is(err, state.ErrNoJob) {
			return nil
		}
		if err != nil {
			return err
		}
		if !hasWork(j.Phase) || j.Phase == job.PhaseKept && time.Now().Before(j.KeptUntil) {
			c.noteKept(j)
			return c.cfg.Store.ReleaseJob(ctx, id, c.cfg.ID)
		}
		if err := c.newStep(ctx, j).do(ctx); err != nil {
			return errors.Join(err, c.cfg.Store.ReleaseJob(ctx, id, c.cfg.ID))
		}
	}
}

// sweep reassigns tasks whose attempts lost their leases or make no progress, starts backup
// attempts beside stragglers, and returns the job's phase; "" if there is no such job, because it
// is just being submitted or is gone.
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
		c.cfg.Log.Warn("tasks reassigned: their attempts lost their leases or make no progress", "job", id, "attempts", swept.Lost)
	}
	if hasWork(swept.Phase) || swept.Ready > 0 || swept.Phase == job.PhaseEnded || c.cfg.NoBackups {
		return swept.Phase, nil
	}
	return swept.Phase, c.backUp(ctx, id)
}

// do does the work of the phase. It is not an error if another process moves the job on meanwhile.
func (s *step) do(ctx context.Context) (err error) {
	switch s.job.Phase {
	case job.PhasePlan:
		err = s.plan(ctx)
	case job.PhasePublish:
		err = s.publish(ctx)
	case job.PhaseCleanup:
		err = s.cleanUp(ctx)
	case job.PhaseKept:
		err = s.cfg.Store.Discard(ctx, s.job.ID, s.job.Stage)
	}
	if movedOn(err) {
		return nil
	}
	return err
}

// fail fails the job for a reason, if it is still in the step's stage.
func (s *step) fail(ctx context.Context, why error) error {
	err := s.cfg.Store.Stop(ctx, s.job.ID, s.job.Stage, job.Failed, job.Failure{Class: job.ClassJob, Message: why.Error()})
	if err == nil {
		s.cfg.Log.Error("job failed", "job", s.job.ID, "error", why)
	}
	return err
}

// movedOn reports whether a transition or a fence was refused because the job has left the step's
// stage, or is gone.
func movedOn(err error) bool {
	return errors.Is(err, state.ErrIllegal) || errors.Is(err, state.ErrNoJob)
}

// stillIn is the fence before everything that can't be undone: it fails with state.ErrIllegal if
// the job has left the step's stage. Then this controller was held up, and the output may belong to
// another job, or to the same job after a retry.
func (s *step) stillIn(ctx context.Context) error {
	stage, phase, err := s.cfg.Store.Stage(ctx, s.job.ID)
	if err == nil && stage != s.job.Stage {
		err = fmt.Errorf("%s has moved from phase %s to %s: %w", s.job.ID, s.job.Phase, phase, state.ErrIllegal)
	}
	return err
}
