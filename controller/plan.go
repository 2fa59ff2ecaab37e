package controller

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/controller/planner"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// plan lists the inputs, cuts them into map tasks, stores what the executors need, and
// starts the job. A plan that can't be made, but for trouble that may pass, fails the job.
func (c *Controller) plan(ctx context.Context, job state.Job, spec job.Spec) error {
	if c.cfg.Durable {
		done, err := c.resume(ctx, job, spec)
		if done || errors.Is(err, state.ErrIllegal) {
			return err
		}
		if err != nil {
			return c.notPlanned(ctx, job, err)
		}
	}
	tasks, plan, err := c.makePlan(ctx, job, spec)
	if err != nil {
		return c.notPlanned(ctx, job, err)
	}
	if n := tasks.Count + planner.Reducers(spec, plan.Bytes); c.cfg.MaxTasks > 0 && n > c.cfg.MaxTasks {
		return c.notPlanned(ctx, job, fmt.Errorf(
			"the job would have %d tasks, %d maps and %d reducers; at most %d are taken: raise split_size, or have fewer maps or reducers",
			n, tasks.Count, n-tasks.Count, c.cfg.MaxTasks))
	}
	layout := layout.Layout{Prefix: c.workPrefix, Job: job.ID, Spread: plan.Spread}
	if err := c.storePages(ctx, layout, plan.Pages, tasks.All); err != nil {
		return c.notPlanned(ctx, job, fmt.Errorf("store the plan: %w", err))
	}
	text, err := plan.Encode()
	if err != nil {
		return err
	}
	reducers := planner.Reducers(spec, plan.Bytes)
	c.cfg.Log.Info("job planned", "job", job.ID, "inputs", plan.Inputs, "bytes", plan.Bytes,
		"maps", tasks.Count, "reducers", reducers, "passed_over", plan.PassedOver, "outputs", plan.Outputs, "own", plan.Own)
	if plan.Empty > 0 {
		c.cfg.Log.Warn("inputs are empty", "job", job.ID, "locations", plan.Empty, "first", plan.EmptyInput)
	}
	p := planRecord{Maps: tasks.Count, Reduces: reducers, Plan: text}
	err = c.cfg.Store.Start(ctx, job.ID, outline(job, spec, p))
	if errors.Is(err, state.ErrIllegal) || errors.Is(err, state.ErrNoJob) {
		return errors.Join(err, c.dropPlan(ctx, job, layout, plan.Pages, p))
	}
	if err != nil {
		return err
	}
	return c.writePlan(ctx, job.ID, p)
}

// notPlanned fails a job that can't be planned, unless it is for trouble that may pass.
func (c *Controller) notPlanned(ctx context.Context, job state.Job, err error) error {
	if c.passing(job, err, c.cfg.PlanTimeout) {
		return fmt.Errorf("plan %s: %w", job.ID, err)
	}
	// Another controller may have planned it meanwhile, and it is that one's output that was found: then
	// it is in another stage.
	return c.fail(ctx, job, err)
}

// outline is what Redis is told of a planned job.
func outline(job state.Job, spec job.Spec, p planRecord) state.Outline {
	return state.Outline{
		Maps: p.Maps, Reduces: p.Reduces, Plan: p.Plan, Stage: job.Stage,
		TaskTimeout: spec.StallLimit(), MaxAttempts: spec.MaxAttempts,
	}
}

// dropPlan removes what a planning has left that came too late: another controller has planned
// the job, and perhaps cleaned up after it already.
func (c *Controller) dropPlan(ctx context.Context, job state.Job, layout layout.Layout, pages string, p planRecord) error {
	now, err := c.cfg.Store.Job(ctx, job.ID)
	if err != nil && !errors.Is(err, state.ErrNoJob) {
		return err
	}
	if now.Plan == p.Plan { // it is this one: only the answer of its start was lost
		if now.State.Terminal() {
			return nil // and its records are gone, or about to be
		}
		return c.writePlan(ctx, job.ID, p)
	}
	return deleteAll(ctx, c.work, layout.PlanFolder(pages))
}

func (c *Controller) makePlan(ctx context.Context, job state.Job, spec job.Spec) (planner.Tasks, layout.Plan, error) {
	if err := spec.Validate(); err != nil {
		return planner.Tasks{}, layout.Plan{}, err
	}
	if err := planner.CheckOverlap(ctx, c.cfg.Open, spec); err != nil {
		return planner.Tasks{}, layout.Plan{}, err
	}
	if err := c.claimOutput(ctx, job.ID, spec, false); err != nil {
		return planner.Tasks{}, layout.Plan{}, err
	}
	tasks, plan, err := planner.Cut(ctx, c.cfg.Open, c.area(), spec, c.slots)
	if err != nil || !spec.Overwrite {
		return tasks, plan, err
	}
	before, err := c.success(ctx, spec)
	if before != nil {
		plan.Replaces = before.Job
	}
	return tasks, plan, err
}

// area is what the controller's work store has for itself.
func (c *Controller) area() planner.WorkArea {
	return planner.WorkArea{Bucket: c.work.URL(), Layout: layout.Layout{Prefix: c.workPrefix}}
}

// slots is how many tasks the executors that there are do side by side.
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

// ErrOutputNotFree says that a job can't have its output: another job has it, or something is there.
var ErrOutputNotFree = errors.New("the output is not free")

// notFreeError says why; it is an ErrOutputNotFree.
type notFreeError struct{ error }

func notFree(format string, args ...any) error { return notFreeError{fmt.Errorf(format, args...)} }

func (e notFreeError) Unwrap() error      { return e.error }
func (notFreeError) Is(target error) bool { return target == ErrOutputNotFree }

// claimOutput makes sure that the output is this job's alone and, unless it may be
// overwritten, that nothing is there. It fails with ErrOutputNotFree otherwise, and may have locked the output then.
//
// What a job that was planned before left there when a failover sent it back is its own, unless it is retried: then
// its output was cleaned up when it failed, and what is there now is somebody else's.
func (c *Controller) claimOutput(ctx context.Context, id job.ID, spec job.Spec, retried bool) error {
	b, key, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return fmt.Errorf("output %s: %w", spec.Output, err)
	}
	holder, err := c.lockOutput(ctx, outputURL(b, key), id)
	if err != nil {
		return err
	}
	if holder != id {
		return c.outputHeld(ctx, spec.Output, holder)
	}
	if spec.Overwrite {
		return nil
	}
	prefix := strings.TrimSuffix(key, "/")
	if prefix != "" {
		if o, err := b.Stat(ctx, prefix); err == nil {
			return notFree("output %s: exists already, as an object of %d bytes; choose another place", spec.Output, o.Size)
		}
		prefix += "/"
	}
	for o, err := range b.List(ctx, prefix) {
		if err != nil { // a bucket that is missing, too
			return fmt.Errorf("output %s: %w", spec.Output, err)
		}
		if !retried {
			if own, err := c.plannedBefore(ctx, id, spec); err != nil || own {
				return err
			}
		}
		return notFree("output %s: is not empty (it has %s); choose another place, or overwrite it (--overwrite)",
			spec.Output, strings.TrimPrefix(o.Key, prefix))
	}
	return nil
}

// errOutputBusy is that the job which wrote to an output last has ended, but its clean-up has not.
var errOutputBusy = errors.New("is being cleaned up; try again in a moment")

// outputHeld says why an output can't be taken that another job has locked.
func (c *Controller) outputHeld(ctx context.Context, output string, holder job.ID) error {
	j, err := c.cfg.Store.Job(ctx, holder)
	switch {
	case err != nil && !errors.Is(err, state.ErrNoJob):
		return err
	case err == nil && j.State.Terminal() && j.Phase != job.PhaseKept:
		return notFree("output %s: job %s has ended there and %w", output, holder, errOutputBusy)
	}
	return notFree("output %s: job %s is writing to it; wait for its end, or cancel it", output, holder)
}

// plannedBefore tells whether the job was planned already, so that its output was free, and a failover has sent
// it back from its publication: then what lies there is its own. But one that is complete is left alone.
func (c *Controller) plannedBefore(ctx context.Context, id job.ID, spec job.Spec) (bool, error) {
	there, err := c.success(ctx, spec)
	if err != nil || there != nil {
		return false, err
	}
	layout := layout.Layout{Prefix: c.workPrefix, Job: id}
	for _, err := range c.work.List(ctx, layout.PlanFolders()) {
		return err == nil, err
	}
	return false, nil
}

func (c *Controller) storePages(ctx context.Context, layout layout.Layout, pages string, tasks iter.Seq[input.Task]) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce) // and no more pages in memory
	n := 0
	for page := range chunks(tasks, planner.PageSize) {
		key := layout.PlanPage(pages, n)
		n++
		g.Go(func() error {
			data, err := input.EncodePage(page)
			if err != nil {
				return err
			}
			_, err = c.work.Put(ctx, key, objstore.Checked(data))
			return err
		})
	}
	return g.Wait()
}

// chunks puts up to n elements together, as slices.Chunk does with those of a slice.
func chunks[T any](seq iter.Seq[T], n int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		var chunk []T
		for v := range seq {
			if chunk = append(chunk, v); len(chunk) == n {
				if !yield(chunk) {
					return
				}
				chunk = nil
			}
		}
		if len(chunk) > 0 {
			yield(chunk)
		}
	}
}

func isNotFound(err error) bool { return errors.Is(err, objstore.ErrNotFound) }
