package controller

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// cleanUp removes what a job left behind, in whatever way it ended: unfinished uploads,
// parts of an output that did not come to be, intermediates, the plan. Only its history
// stays. It may be done again from the start, at any point. What the store refuses for good
// (access denied, say), or for too long, is left; a job must end.
func (c *Controller) cleanUp(ctx context.Context, j state.Job, spec job.Spec) error {
	layout, err := c.layout(j)
	if err != nil {
		return err
	}
	if err := c.stillIn(ctx, j); err != nil {
		return err // a failover has sent it back, and it needs all that is there
	}
	if err := c.settled(j, "record", c.dropRecords(ctx, j.ID)); err != nil {
		return err
	}
	if found, err := c.completedBefore(ctx, j, spec); found || err != nil {
		return err
	}
	if err := c.leaveOutput(ctx, j, spec); err != nil {
		return err
	}
	if c.cfg.KeepFailed > 0 && j.State == job.Failed && j.Plan != "" && j.KeptUntil.IsZero() {
		if err := c.notify(ctx, j, spec); err != nil {
			return err
		}
		c.cfg.Log.Info("job failed, and may be retried", "job", j.ID, "within", c.cfg.KeepFailed)
		err := c.cfg.Store.Keep(ctx, j.ID, j.Stage, c.cfg.KeepFailed)
		if err == nil {
			c.metrics.jobEnded(j)
		}
		return err
	}
	if !spec.KeepIntermediates {
		if err := c.settled(j, "unfinished segments", c.abortSegments(ctx, j, layout)); err != nil {
			return err
		}
		if err := c.settled(j, "intermediates", c.deleteFolders(ctx, j, layout.Folders())); err != nil {
			return err
		}
	}
	if err := c.notify(ctx, j, spec); err != nil {
		return err
	}
	c.cfg.Log.Info("job ended", "job", j.ID, "state", j.State)
	if err := c.cfg.Store.Forget(ctx, j.ID, j.Stage, max(c.cfg.History, 0)); err != nil {
		return err
	}
	c.metrics.jobEnded(j)
	return nil
}

// completedBefore finds out whether a failed or cancelled job has completed in a time that Redis has forgotten: a
// failover may send one back whose output was published, and what it needs to go on is gone. True:
// it was settled as what it is.
func (c *Controller) completedBefore(ctx context.Context, j state.Job, spec job.Spec) (bool, error) {
	if j.State == job.Completed || !j.PublishedFrom.IsZero() {
		return false, nil
	}
	success, done, err := c.published(ctx, j.ID, spec, j.Parts())
	if err != nil || !done {
		return false, c.settled(j, "", err)
	}
	c.cfg.Log.Warn("job had completed before a failover", "job", j.ID, "since", j.State)
	return true, c.cfg.Store.FinishFound(ctx, j.ID, j.Stage, success.Counters)
}

// abortSegments ends the uploads of segments that attempts which came to nothing had begun. Those
// that a store lists by prefix are found without: see abortUploads.
func (c *Controller) abortSegments(ctx context.Context, j state.Job, layout layout.Layout) error {
	if j.Plan == "" {
		return nil
	}
	void, err := c.cfg.Store.Void(ctx, j.ID)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce)
	for _, a := range void {
		if a.Task.Side == job.Map {
			g.Go(func() error { return abortAll(ctx, c.work, layout.Segment(a)) })
		}
	}
	return g.Wait()
}

// settled passes on trouble that may go away, for a while, so that the clean-up is tried again,
// and tells of the rest, and what may be left because of it ("": nothing).
func (c *Controller) settled(job state.Job, what string, err error) error {
	if err == nil || errors.Is(err, state.ErrIllegal) || errors.Is(err, state.ErrNoJob) || c.passing(job, err, c.cfg.CleanupTimeout) {
		return err
	}
	c.cfg.Log.Error("clean up", "job", job.ID, "left", what, "error", err)
	if what != "" {
		c.metrics.left.Inc()
	}
	if what != "" && c.cfg.Abandoned != nil {
		c.cfg.Abandoned(job.ID, what, err)
	}
	return nil
}

// leaveOutput cleans up a job's output and releases it. A job whose plan failed because the
// output was not its own never wrote there, and one that was kept has left it to others already.
func (c *Controller) leaveOutput(ctx context.Context, job state.Job, spec job.Spec) error {
	if !job.KeptUntil.IsZero() {
		return c.unlockOutput(ctx, job.ID, spec) // a retry that came to nothing may have taken it
	}
	owned, err := c.ownsOutput(ctx, job, spec)
	if err != nil || !owned {
		return err
	}
	if err := c.settled(job, "output", c.cleanOutput(ctx, job, spec)); err != nil {
		return err
	}
	return c.unlockOutput(ctx, job.ID, spec)
}

// ownsOutput looks, and takes nothing: a controller that is late must not lock the output of a
// job that has ended. A job that was planned had the lock, also if Redis has lost it since.
func (c *Controller) ownsOutput(ctx context.Context, job state.Job, spec job.Spec) (bool, error) {
	b, key, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return false, nil // a place that can't be named was never written to
	}
	holder, err := c.cfg.Store.OutputHolder(ctx, outputURL(b, key))
	return holder == job.ID || holder == "" && job.Plan != "", err
}

// cleanOutput aborts the uploads of attempts that came to nothing and, of a job that did not
// complete, takes back what was published already.
func (c *Controller) cleanOutput(ctx context.Context, j state.Job, spec job.Spec) error {
	if j.Plan == "" && !j.Restored {
		return nil // no attempt ever ran
	}
	out, prefix, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return err
	}
	if j.State == job.Completed {
		repeated, err := c.cfg.Store.Repeated(ctx, j.ID)
		if err != nil {
			return err
		}
		if !repeated && !j.Restored {
			// Every attempt that Redis knows of committed. One may have been forgotten in a failover,
			// and died before it threw its upload away.
			return c.abortBelow(ctx, j, out, outputName(prefix, "part-"))
		}
		return c.abortUploads(ctx, j, out, prefix)
	}
	// Uploads whose manifests are lost are found by their keys.
	parts, lost, err := c.committedParts(ctx, j)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := out.Abort(ctx, p.upload); err != nil {
			return err
		}
	}
	if err := c.abortUploads(ctx, j, out, prefix); err != nil {
		return err
	}
	if j.PublishedFrom.IsZero() {
		return nil
	}
	there, err := c.success(ctx, spec)
	if err != nil {
		return err
	}
	if taken, err := takenOver(j, there); err != nil || taken {
		return err // and has its own parts there, perhaps with the same bytes
	}
	if err := c.stillIn(ctx, j); err != nil {
		return err
	}
	if err := c.deleteOwnSuccess(ctx, j.ID, spec); err != nil {
		return err
	}
	if err := c.unpublishSkipped(ctx, j, out, prefix); err != nil {
		return err
	}
	if err := c.unpublish(ctx, j, out, parts); err != nil {
		return err
	}
	return visibleStill(ctx, out, prefix, lost)
}

// visibleStill fails where an object is in the place of a part whose manifest is lost: nobody can tell whether
// it is the job's, so it stays.
func visibleStill(ctx context.Context, out objstore.Bucket, prefix string, lost []state.Lost) error {
	for _, l := range lost {
		key := outputName(prefix, layout.PartName(l.Attempt.Task.Index))
		_, err := out.Stat(ctx, key)
		if err == nil {
			err = fmt.Errorf("%s/%s may be the job's: what would tell is lost: %s", out.URL(), key, l.Why)
		}
		if !isNotFound(err) {
			return err
		}
	}
	return nil
}

// exactUploads is how many parts are asked for one by one in abortUploads.
const exactUploads = 10_000

// abortUploads ends the uploads of parts that nobody knows of, since their attempts were lost.
// Some stores (MinIO) list uploads reliably only by their whole key.
func (c *Controller) abortUploads(ctx context.Context, job state.Job, out objstore.Bucket, prefix string) error {
	if err := c.abortBelow(ctx, job, out, outputName(prefix, "part-")); err != nil {
		return err
	}
	_, parts := outputSide(job)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce)
	for i := range min(parts, exactUploads) {
		g.Go(func() error { return c.abortBelow(ctx, job, out, outputName(prefix, layout.PartName(i))) })
	}
	return g.Wait()
}

// abortBelow aborts the uploads of parts whose keys start with prefix. Before each it asks whether the
// job still is to be cleaned up: a controller that was held up might meet those of the next job.
func (c *Controller) abortBelow(ctx context.Context, job state.Job, out objstore.Bucket, prefix string) error {
	for u, err := range out.Uploads(ctx, prefix) {
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, ok := partIndex(u.Key); !ok {
			continue
		}
		if err := c.stillIn(ctx, job); err != nil {
			return err
		}
		if err := out.Abort(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// unpublish deletes those visible parts that this job's own uploads made. It completes nothing. Parts of which the
// store does not tell who made them stay, and are in the error. Before each deletion it asks whether the job is still
// to be cleaned up: a job that was retried goes on.
func (c *Controller) unpublish(ctx context.Context, job state.Job, out objstore.Bucket, parts []part) error {
	var unproven atomic.Pointer[error] // some part's
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce)
	for _, p := range parts {
		g.Go(func() error {
			own, err := out.Made(ctx, p.upload)
			if errors.Is(err, objstore.ErrUnproven) {
				unproven.Store(&err)
				return nil
			}
			if err != nil || !own {
				return err
			}
			if err := c.stillIn(ctx, job); err != nil {
				return err
			}
			return out.Delete(ctx, p.upload.Key)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := unproven.Load(); err != nil {
		return *err
	}
	return nil
}

// deleteFolders does deleteAll for folders of the work store, but goes on to the next one only if the store
// answers, and the job still is to be cleaned up.
func (c *Controller) deleteFolders(ctx context.Context, job state.Job, folders []string) (err error) {
	for _, folder := range folders {
		if moved := c.stillIn(ctx, job); moved != nil {
			return moved
		}
		if err = errors.Join(err, deleteAll(ctx, c.work, folder)); transient(err) {
			break
		}
	}
	return err
}

// deleteAll removes every object and unfinished upload under a prefix, a page at a time.
func deleteAll(ctx context.Context, b objstore.Bucket, prefix string) error {
	const page = 1000
	keys := make([]string, 0, page)
	for o, err := range b.List(ctx, prefix) {
		if isNotFound(err) {
			break
		}
		if err != nil {
			return err
		}
		if keys = append(keys, o.Key); len(keys) == page {
			if err := b.Delete(ctx, keys...); err != nil {
				return err
			}
			keys = keys[:0]
		}
	}
	if err := b.Delete(ctx, keys...); err != nil {
		return err
	}
	return abortAll(ctx, b, prefix)
}

// abortAll aborts every unfinished upload under a prefix.
func abortAll(ctx context.Context, b objstore.Bucket, prefix string) error {
	for u, err := range b.Uploads(ctx, prefix) {
		if isNotFound(err) {
			break
		}
		if err != nil {
			return err
		}
		if err := b.Abort(ctx, u); err != nil {
			return err
		}
	}
	return nil
}
