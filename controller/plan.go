package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/bucketmill/bucketmill/controller/planner"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/state"
)

// plan lists the inputs, cuts them into map tasks, stores what the executors need, and starts the
// job. If that fails, other than by an error that may go away, the job fails.
func (s *step) plan(ctx context.Context) error {
	if s.broken != nil {
		return s.fail(ctx, s.broken)
	}
	if s.cfg.Durable {
		done, err := s.resume(ctx)
		if done || errors.Is(err, state.ErrIllegal) {
			return err
		}
		if err != nil {
			return s.notPlanned(ctx, err)
		}
	}
	tasks, plan, err := s.makePlan(ctx)
	if err != nil {
		return s.notPlanned(ctx, err)
	}
	reducers := planner.Reducers(s.spec, plan.Bytes)
	if n := tasks.Count + reducers; s.cfg.MaxTasks > 0 && n > s.cfg.MaxTasks {
		return s.notPlanned(ctx, fmt.Errorf(
			"the job would have %d tasks, %d maps and %d reducers; at most %d are allowed: raise split_size, or have fewer maps or reducers",
			n, tasks.Count, reducers, s.cfg.MaxTasks))
	}
	layout := layout.Layout{Prefix: s.workPrefix, Job: s.job.ID, Spread: plan.Spread}
	if err := s.storePages(ctx, layout, plan.Pages, tasks.All); err != nil {
		return s.notPlanned(ctx, fmt.Errorf("store the plan: %w", err))
	}
	text, err := plan.Encode()
	if err != nil {
		return err
	}
	s.cfg.Log.Info("job planned", "job", s.job.ID, "inputs", plan.Inputs, "bytes", plan.Bytes,
		"maps", tasks.Count, "reducers", reducers, "passed_over", plan.PassedOver, "outputs", plan.Outputs, "own", plan.Own)
	if plan.Empty > 0 {
		s.cfg.Log.Warn("inputs are empty", "job", s.job.ID, "locations", plan.Empty, "first", plan.EmptyInput)
	}
	p := planRecord{Maps: tasks.Count, Reduces: reducers, Plan: text}
	err = s.start(ctx, p)
	if movedOn(err) {
		return errors.Join(err, s.dropPlan(ctx, layout, plan.Pages, p))
	}
	if err != nil {
		return err
	}
	return s.writePlan(ctx, s.job.ID, p)
}

// notPlanned fails a job that can't be planned, unless the error may go away.
func (s *step) notPlanned(ctx context.Context, err error) error {
	if s.shouldRetry(err, s.cfg.PlanTimeout) {
		return fmt.Errorf("plan %s: %w", s.job.ID, err)
	}
	// Perhaps another controller has planned the job meanwhile, and the output that is in the way
	// is the job's own. Then the job is in another stage, and fail changes nothing.
	return s.fail(ctx, err)
}

// start starts the job by a plan.
func (s *step) start(ctx context.Context, p planRecord) error {
	return s.cfg.Store.Start(ctx, s.job.ID, state.Outline{
		Maps: p.Maps, Reduces: p.Reduces, Plan: p.Plan, Stage: s.job.Stage,
		TaskTimeout: s.spec.StallLimit(), MaxAttempts: s.spec.MaxAttempts,
	})
}

// dropPlan removes the pages of a plan that came too late: another controller has planned the job
// meanwhile, and has perhaps cleaned up already.
func (s *step) dropPlan(ctx context.Context, layout layout.Layout, pages string, p planRecord) error {
	now, err := s.cfg.Store.Job(ctx, s.job.ID)
	if err != nil && !errors.Is(err, state.ErrNoJob) {
		return err
	}
	if now.Plan == p.Plan { // the job was started by this plan: only the answer was lost
		if now.State.Terminal() {
			return nil // and its records are gone, or about to be
		}
		return s.writePlan(ctx, s.job.ID, p)
	}
	return deleteAll(ctx, s.work, layout.PlanFolder(pages))
}

// makePlan claims the output, and finds and cuts the inputs.
func (s *step) makePlan(ctx context.Context) (planner.Tasks, layout.Plan, error) {
	// Submit has validated the spec, unless it was restored or comes from another version.
	if err := s.spec.Validate(); err != nil {
		return planner.Tasks{}, layout.Plan{}, err
	}
	if err := planner.CheckOverlap(ctx, s.cfg.Open, s.spec); err != nil {
		return planner.Tasks{}, layout.Plan{}, err
	}
	if err := s.claimOutput(ctx, false); err != nil {
		return planner.Tasks{}, layout.Plan{}, err
	}
	area := planner.WorkArea{Bucket: s.work.URL(), Layout: layout.Layout{Prefix: s.workPrefix}}
	tasks, plan, err := planner.Cut(ctx, s.cfg.Open, area, s.cfg.Kinds, s.spec, s.slots)
	if err != nil || !s.spec.Overwrite {
		return tasks, plan, err
	}
	before, err := s.out.success(ctx)
	if before != nil {
		plan.Replaces = before.Job
	}
	return tasks, plan, err
}

// slots is how many tasks all executors do at a time.
func (c *Controller) slots(ctx context.Context) (n int, err error) {
	if c.cfg.Slots > 0 {
		return c.cfg.Slots, nil
	}
	executors, err := c.cfg.Store.Executors(ctx)
	for _, e := range executors {
		n += e.Slots
	}
	return n, err
}

// resume continues a job that is in phase plan again because Redis lost it or a failover sent it
// back. It returns false if the job must be planned.
func (s *step) resume(ctx context.Context) (bool, error) {
	p, planned, err := s.readPlan(ctx, s.job.ID)
	if err != nil || !planned && !s.job.Restored {
		return false, err
	}
	parts := -1
	if planned {
		parts = p.parts()
	}
	success, done, err := s.out.published(ctx, s.job.ID, parts)
	switch {
	case err != nil:
		return false, err
	case done:
		return true, s.finishFound(ctx, success)
	case !planned:
		return false, nil
	case success != nil && success.Job != s.job.ID && !s.spec.Overwrite:
		return false, errOutputTaken // its parts must not be replaced by ours
	}
	if taken, err := takenOver(s.job.ID, p.Plan, success); err != nil || taken {
		return false, cmp.Or(err, errOutputTaken)
	}
	owned, err := s.takeOutput(ctx)
	if err != nil {
		return false, err
	}
	if !owned {
		return false, errOutputTaken
	}
	s.cfg.Log.Info("job resumed", "job", s.job.ID, "maps", p.Maps, "reducers", p.Reduces)
	return true, s.start(ctx, p)
}
