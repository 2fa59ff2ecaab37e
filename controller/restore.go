package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// ensureRestored notices when Redis has lost its data (or is a new one), and submits all
// jobs again whose records are on the work store. Planning then finds out how far each was.
func (c *Controller) ensureRestored(ctx context.Context) error {
	if !c.cfg.Durable {
		return nil
	}
	alive, err := c.cfg.Store.Alive(ctx)
	if err != nil || alive {
		return err
	}
	if err := c.restore(ctx); err != nil {
		return fmt.Errorf("restore jobs: %w", err)
	}
	return c.cfg.Store.SetAlive(ctx)
}

// Restoring tells whether Redis has lost what it held, and jobs are about to be submitted again.
func (c *Controller) Restoring(ctx context.Context) (bool, error) {
	if !c.cfg.Durable {
		return false, nil
	}
	alive, err := c.cfg.Store.Alive(ctx)
	return err == nil && !alive, err
}

// reconcileInterval is how often the work store is searched for jobs that Redis does not know: a
// replica that took over may not have seen the last that were submitted.
const reconcileInterval = 20 * time.Second

// restore submits those jobs on the work store that Redis does not know. Those that were planned
// come first: their outputs are theirs, whoever else waits to be refused them.
func (c *Controller) restore(ctx context.Context) error {
	folder := c.records("").JobFolders()
	active, err := c.cfg.Store.Active(ctx)
	if err != nil {
		return err
	}
	var waiting []job.ID
	records := map[job.ID]jobRecord{}
	for o, err := range c.work.List(ctx, folder) {
		if isNotFound(err) {
			break
		}
		if err != nil {
			return err
		}
		id := jobOf(folder, o.Key)
		if o.Key != c.records(id).Record() {
			continue
		}
		// In this order: a job that is forgotten has no record any more.
		known, err := c.cfg.Store.Known(ctx, id)
		if err == nil && known && !slices.Contains(active, id) {
			err = c.cfg.Store.Enlist(ctx, id)
		}
		if err != nil {
			return err
		}
		if known {
			continue
		}
		var r jobRecord
		found, err := c.readRecord(ctx, o.Key, &r)
		if transient(err) {
			return err
		}
		if err != nil && c.firstTrouble(id) {
			c.cfg.Log.Error("a job is lost: Redis does not know it, and its record can't be read", "job", id, "error", err)
		}
		if err != nil || !found {
			continue
		}
		if r.Namespace != c.cfg.Store.Namespace() {
			continue
		}
		records[id] = r
		_, planned, err := c.readPlan(ctx, id)
		if transient(err) {
			return err // any other, planning meets again, and it fails this job alone
		}
		if !planned {
			waiting = append(waiting, id)
			continue
		}
		if err := c.restoreJob(ctx, id, r, true); err != nil {
			return err
		}
	}
	for _, id := range waiting {
		if err := c.restoreJob(ctx, id, records[id], false); err != nil {
			return err
		}
	}
	return nil
}

// firstTrouble tells whether nothing was said yet of a job that can't be restored.
func (c *Controller) firstTrouble(id job.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	said := c.unreadable[id]
	c.unreadable[id] = true
	return !said
}

func (c *Controller) restoreJob(ctx context.Context, id job.ID, r jobRecord, planned bool) error {
	if planned {
		spec, err := jobfile.Parse(r.Spec)
		if err == nil {
			_, err = c.takeOutput(ctx, id, spec)
		}
		if transient(err) || state.IsOutage(err) {
			return err // any other, planning meets again, and it fails this job alone
		}
	}
	err := c.cfg.Store.Restore(ctx, r.By, id, r.Name, r.Priority, r.Spec, r.Submitted)
	if err != nil && !errors.Is(err, state.ErrExists) {
		return err
	}
	c.cfg.Log.Warn("Redis has lost a job: it goes on from what the store holds", "job", id, "planned", planned)
	return nil
}

// resume takes a job up where it was that Redis had lost, or that a failover has sent back to
// its planning; false: it has to be planned.
func (c *Controller) resume(ctx context.Context, job state.Job, spec job.Spec) (bool, error) {
	p, planned, err := c.readPlan(ctx, job.ID)
	if err != nil || !planned && !job.Restored {
		return false, err
	}
	parts := -1
	if planned {
		parts = p.parts()
	}
	success, done, err := c.published(ctx, job.ID, spec, parts)
	switch {
	case err != nil:
		return false, err
	case done:
		return true, c.cfg.Store.FinishFound(ctx, job.ID, job.Stage, success.Counters)
	case !planned:
		return false, nil
	case success != nil && success.Job != job.ID && !spec.Overwrite:
		return false, errOutputTaken // its parts must not be replaced by ours
	}
	job.Plan = p.Plan
	if taken, err := takenOver(job, success); err != nil || taken {
		return false, cmp.Or(err, errOutputTaken)
	}
	owned, err := c.takeOutput(ctx, job.ID, spec)
	if err != nil {
		return false, err
	}
	if !owned {
		return false, errOutputTaken
	}
	c.cfg.Log.Info("job resumed", "job", job.ID, "maps", p.Maps, "reducers", p.Reduces)
	return true, c.cfg.Store.Start(ctx, job.ID, outline(job, spec, p))
}

var errOutputTaken = errors.New("while Redis had lost the job another one took its output")

// takenOver tells whether a _SUCCESS object is of a job that has published after this one was planned: Redis has
// forgotten that job, and that this one was over.
func takenOver(job state.Job, there *layout.Success) (bool, error) {
	if there == nil || there.Job == "" || there.Job == job.ID || job.Plan == "" {
		return false, nil
	}
	plan, err := layout.ParsePlan(job.Plan)
	return there.Job != plan.Replaces, err
}

// published reads the _SUCCESS object of an output, as success does, and finds out whether it is that of a job with so
// many parts (-1: it is not known how many) and its parts are there: a publisher that was held up may have written it of
// what a retry then threw away. Counters are those of the job's own only.
func (c *Controller) published(ctx context.Context, id job.ID, spec job.Spec, parts int) (*layout.Success, bool, error) {
	s, err := c.success(ctx, spec)
	if err != nil || s == nil || s.Job != id {
		return s, false, err
	}
	out, prefix, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return s, false, err
	}
	sizes, own, err := ownParts(ctx, out, outputName(prefix, layout.SuccessName), id, parts)
	switch {
	case isNotFound(err):
		return nil, false, nil // gone meanwhile
	case errors.Is(err, layout.ErrNoSuccess):
		return &layout.Success{}, false, nil
	case err != nil || len(sizes) == 0:
		return s, false, err
	}
	g, looking := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce)
	for i, size := range sizes {
		g.Go(func() error {
			o, err := out.Stat(looking, outputName(prefix, layout.PartName(i)))
			if isNotFound(err) || err == nil && o.Size != size {
				return errNotWhole
			}
			return err
		})
	}
	if err := g.Wait(); !errors.Is(err, errNotWhole) {
		return own, err == nil, err
	}
	return own, false, nil
}

// ownParts reads the _SUCCESS object that names a job: the sizes of its parts, and the rest.
func ownParts(ctx context.Context, out objstore.Bucket, key string, id job.ID, parts int) (sizes []int64, s *layout.Success, err error) {
	r, err := out.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	own, err := layout.ReadSuccess(r, id, parts, func(p layout.SuccessPart) error {
		sizes = append(sizes, p.Bytes)
		return nil
	})
	return sizes, &own, err
}

var errNotWhole = errors.New("a part of the output is missing")

// deleteOwnSuccess removes the _SUCCESS object of a job's output, if it is the job's.
func (c *Controller) deleteOwnSuccess(ctx context.Context, id job.ID, spec job.Spec) error {
	s, err := c.success(ctx, spec)
	if err != nil || s == nil || s.Job != id {
		return err
	}
	out, prefix, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return err
	}
	return out.Delete(ctx, outputName(prefix, layout.SuccessName))
}

// success reads from the _SUCCESS object of an output whose it is; nil: there is none. One that no job of ours has
// written is of no job. It reads no more than that, for the object may be anything.
func (c *Controller) success(ctx context.Context, spec job.Spec) (s *layout.Success, err error) {
	out, prefix, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return nil, err
	}
	r, err := out.Get(ctx, outputName(prefix, layout.SuccessName), 0, layout.SuccessHead)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	head, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return &layout.Success{Job: layout.SuccessJob(head)}, nil
}
