package controller

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/executor/split"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// pageSize is how many map tasks a page of the plan describes.
const pageSize = 500

// plan lists the inputs, cuts them into map tasks, stores what the executors need, and
// starts the job. A plan that can't be made, but for trouble that may pass, fails the job.
func (c *Controller) plan(ctx context.Context, job state.Job, spec state.Spec) error {
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
	layout := state.Layout{Prefix: c.workPrefix, Job: job.ID, Spread: plan.Spread}
	if err := c.storePages(ctx, layout, plan.Pages, tasks); err != nil {
		return c.notPlanned(ctx, job, fmt.Errorf("store the plan: %w", err))
	}
	text, err := plan.Encode()
	if err != nil {
		return err
	}
	reducers := reducersOf(spec, plan.Bytes)
	c.cfg.Log.Info("job planned", "job", job.ID, "inputs", plan.Inputs, "bytes", plan.Bytes,
		"maps", len(tasks), "reducers", reducers)
	p := planRecord{Maps: len(tasks), Reduces: reducers, Plan: text}
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
func outline(job state.Job, spec state.Spec, p planRecord) state.Outline {
	return state.Outline{
		Maps: p.Maps, Reduces: p.Reduces, Plan: p.Plan, Stage: job.Stage,
		TaskTimeout: spec.StallLimit(), MaxAttempts: spec.MaxAttempts,
	}
}

// dropPlan removes what a planning has left that came too late: another controller has planned
// the job, and perhaps cleaned up after it already.
func (c *Controller) dropPlan(ctx context.Context, job state.Job, layout state.Layout, pages string, p planRecord) error {
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

func (c *Controller) makePlan(ctx context.Context, job state.Job, spec state.Spec) ([]split.Task, state.Plan, error) {
	if err := spec.Validate(); err != nil {
		return nil, state.Plan{}, err
	}
	if err := c.claimOutput(ctx, job.ID, spec); err != nil {
		return nil, state.Plan{}, err
	}
	tasks, plan, err := cut(ctx, c.cfg.Open, spec, c.slots)
	if err != nil || !spec.Overwrite {
		return tasks, plan, err
	}
	before, err := c.success(ctx, spec)
	if before != nil {
		plan.Replaces = before.Job
	}
	return tasks, plan, err
}

// slots is how many tasks the executors that there are do side by side.
func (c *Controller) slots(ctx context.Context) (n int, err error) {
	executors, err := c.cfg.Store.Executors(ctx)
	for _, e := range executors {
		n += e.Slots
	}
	return n, err
}

// cut lists the inputs and cuts them into map tasks. Slots is asked for large inputs.
func cut(ctx context.Context, open Opener, spec state.Spec, slots func(context.Context) (int, error)) ([]split.Task, state.Plan, error) {
	format, err := split.ParseFormat(spec.Format)
	if err != nil {
		return nil, state.Plan{}, err
	}
	objects, err := inputs(ctx, open, spec.Input)
	if err != nil {
		return nil, state.Plan{}, err
	}
	var bytes int64
	for _, o := range objects {
		bytes += o.Size
	}
	opts := split.Options{Format: format}
	var tasks []split.Task
	if spec.Maps > 0 {
		tasks, err = split.PlanMaps(objects, opts, spec.Maps)
	} else {
		size := int64(spec.SplitSize)
		if size == 0 && bytes > largeInput {
			n, err := slots(ctx)
			if err != nil {
				return nil, state.Plan{}, err
			}
			size = largeSplitFor(bytes, n)
		} else if size == 0 {
			size = splitSizeFor(bytes)
		}
		tasks, err = split.Plan(objects, opts, size)
	}
	if err != nil {
		return nil, state.Plan{}, err
	}
	if len(tasks) > state.MaxTasks {
		return nil, state.Plan{}, fmt.Errorf("%d map tasks are more than the %d a job may have: use a larger split size", len(tasks), state.MaxTasks)
	}
	return tasks, state.Plan{
		Spread: state.SpreadFor(len(tasks)), PageSize: pageSize, Pages: rand.Text(),
		Inputs: len(objects), Bytes: bytes,
	}, nil
}

// claimOutput makes sure that the output is this job's alone and, unless it may be
// overwritten, that nothing is there.
func (c *Controller) claimOutput(ctx context.Context, id state.JobID, spec state.Spec) error {
	b, key, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return fmt.Errorf("output %s: %w", spec.Output, err)
	}
	holder, err := c.lockOutput(ctx, outputURL(b, key), id)
	if err != nil {
		return err
	}
	if holder != id {
		return fmt.Errorf("output %s: job %s is writing to it", spec.Output, holder)
	}
	if spec.Overwrite {
		return nil
	}
	prefix := strings.TrimSuffix(key, "/")
	if prefix != "" {
		if o, err := b.Stat(ctx, prefix); err == nil {
			return fmt.Errorf("output %s: exists already, as an object of %d bytes; choose another place", spec.Output, o.Size)
		}
		prefix += "/"
	}
	for o, err := range b.List(ctx, prefix) {
		if err != nil { // a bucket that is missing, too
			return fmt.Errorf("output %s: %w", spec.Output, err)
		}
		return fmt.Errorf("output %s: is not empty (it has %s); choose another place, or overwrite it (--overwrite)",
			spec.Output, strings.TrimPrefix(o.Key, prefix))
	}
	return nil
}

func (c *Controller) storePages(ctx context.Context, layout state.Layout, pages string, tasks []split.Task) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce)
	for page := 0; page*pageSize < len(tasks); page++ {
		g.Go(func() error {
			data, err := split.EncodePage(tasks[page*pageSize : min((page+1)*pageSize, len(tasks))])
			if err != nil {
				return err
			}
			_, err = c.work.Put(ctx, layout.PlanPage(pages, page), data)
			return err
		})
	}
	return g.Wait()
}

const (
	minSplit = 4 << 20  // bytes: below, a task costs more than its work
	maxSplit = 64 << 20 // bytes: above, what a failure costs grows, and nothing gets faster
	// partitionBytes is the input per reducer that the default aims at, and largeInput where both
	// splits and partitions begin to grow, with the square root of the input. So the runs that
	// reducers read, one of each map task for each of them, grow with the input and no faster:
	// 1 TiB gets 2,048 maps and 2,048 reducers, 100 TiB 20,480 of each.
	partitionBytes = 64 << 20
	largeInput     = 16 << 30
	// tasksPerSlot is how many map tasks a slot has at least of a large input, so that slower
	// ones do fewer.
	tasksPerSlot = 4
)

// splitSizeFor gives small inputs enough tasks to keep some executors busy.
func splitSizeFor(bytes int64) int64 {
	return min(max(bytes/16, minSplit), maxSplit)
}

// largeSplitFor is the split size of an input beyond largeInput: what a shuffle costs is in its
// number of runs, as long as nobody is idle for it.
func largeSplitFor(bytes int64, slots int) int64 {
	size := int64(maxSplit * math.Sqrt(float64(bytes)/largeInput))
	return max(maxSplit, min(size, bytes/int64(max(1, slots*tasksPerSlot))))
}

// reducersOf is the number of reducers of a job with inputs of so many bytes.
func reducersOf(spec state.Spec, bytes int64) int {
	if spec.Reducers != nil {
		return *spec.Reducers
	}
	return reducersFor(bytes)
}

// reducersFor is the number of reducers for an input of so many bytes.
func reducersFor(bytes int64) int {
	n := math.Ceil(float64(min(bytes, largeInput)) / partitionBytes)
	if bytes > largeInput {
		n *= math.Sqrt(float64(bytes) / largeInput)
	}
	return max(1, int(n))
}

func isNotFound(err error) bool { return errors.Is(err, objstore.ErrNotFound) }
