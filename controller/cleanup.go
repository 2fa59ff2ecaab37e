package controller

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// cleanUp removes what a job left behind, in whatever way it ended: unfinished uploads,
// parts of an output that did not come to be, intermediates, the plan. Only its history
// stays. It may be done again from the start, at any point. What the store refuses for good
// (access denied, say), or for too long, is left; a job must end.
func (c *Controller) cleanUp(ctx context.Context, job state.Job, spec state.Spec) error {
	layout, err := c.layout(job)
	if err != nil {
		return err
	}
	// A job whose plan failed because the output was not its own never wrote there.
	// One that was kept has left its output to others.
	owned, err := c.ownsOutput(ctx, job.ID, spec)
	if err != nil {
		return err
	}
	if owned && job.KeptUntil.IsZero() {
		if err := c.settled(job, "output", c.cleanOutput(ctx, job, spec)); err != nil {
			return err
		}
		if err := c.unlockOutput(ctx, job.ID, spec); err != nil {
			return err
		}
	}
	if c.cfg.KeepFailed > 0 && job.State == state.Failed && job.Plan != "" && job.KeptUntil.IsZero() {
		if err := c.notify(ctx, job, spec); err != nil {
			return err
		}
		c.cfg.Log.Info("job failed, and may be retried", "job", job.ID, "within", c.cfg.KeepFailed)
		return c.cfg.Store.Keep(ctx, job.ID, c.cfg.KeepFailed)
	}
	if !spec.KeepIntermediates {
		for _, folder := range layout.Folders() {
			if err := c.settled(job, "intermediates", deleteAll(ctx, c.work, folder)); err != nil {
				return err
			}
		}
	}
	if err := c.notify(ctx, job, spec); err != nil {
		return err
	}
	c.cfg.Log.Info("job ended", "job", job.ID, "state", job.State)
	return c.cfg.Store.Forget(ctx, job.ID, max(c.cfg.History, 0))
}

// settled passes on trouble that may go away, for a while, so that the clean-up is tried again,
// and tells of the rest.
func (c *Controller) settled(job state.Job, what string, err error) error {
	if err == nil || (transient(err) && time.Since(job.Ended) < c.cfg.CleanupTimeout) {
		return err
	}
	c.cfg.Log.Error("clean up", "job", job.ID, "left", what, "error", err)
	if c.cfg.Abandoned != nil {
		c.cfg.Abandoned(job.ID, what, err)
	}
	return nil
}

func (c *Controller) ownsOutput(ctx context.Context, id state.JobID, spec state.Spec) (bool, error) {
	b, key, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return false, nil // a place that can't be named was never written to
	}
	holder, err := c.cfg.Store.LockOutput(ctx, outputURL(b, key), id)
	return holder == id, err
}

func (c *Controller) unlockOutput(ctx context.Context, id state.JobID, spec state.Spec) error {
	b, key, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return err
	}
	return c.cfg.Store.UnlockOutput(ctx, outputURL(b, key), id)
}

// cleanOutput aborts the uploads of attempts that came to nothing and, of a job that did not
// complete, takes back what was published already.
func (c *Controller) cleanOutput(ctx context.Context, job state.Job, spec state.Spec) error {
	if job.Plan == "" {
		return nil // no attempt ever ran
	}
	out, prefix, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return err
	}
	if job.State == state.Completed {
		if job.Map.Failed+job.Reduce.Failed == 0 {
			return nil // every attempt committed, and every upload is completed
		}
		return abortUploads(ctx, job, out, prefix)
	}
	parts, err := c.committedParts(ctx, job)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := out.Abort(ctx, p.upload); err != nil {
			return err
		}
	}
	if err := abortUploads(ctx, job, out, prefix); err != nil {
		return err
	}
	if job.PublishedFrom.IsZero() {
		return nil
	}
	return unpublish(ctx, job, out, prefix, parts)
}

// exactUploads is how many parts are asked for one by one in abortUploads.
const exactUploads = 10_000

// abortUploads ends the uploads of parts that nobody knows of, since their attempts were lost.
// Some stores (MinIO) list uploads reliably only by their whole key.
func abortUploads(ctx context.Context, job state.Job, out objstore.Bucket, prefix string) error {
	if err := abortBelow(ctx, out, outputName(prefix, "part-")); err != nil {
		return err
	}
	_, parts := outputSide(job)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce)
	for i := range min(parts, exactUploads) {
		g.Go(func() error { return abortBelow(ctx, out, outputName(prefix, state.PartName(i))) })
	}
	return g.Wait()
}

// abortBelow aborts the uploads of parts whose keys start with prefix.
func abortBelow(ctx context.Context, out objstore.Bucket, prefix string) error {
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
		if err := out.Abort(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// unpublish deletes those parts that are visible and this job's. All its uploads are either
// completed or aborted by now, so completing one again tells which.
func unpublish(ctx context.Context, job state.Job, out objstore.Bucket, prefix string, parts []part) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requestsAtOnce)
	for _, p := range parts {
		g.Go(func() error {
			_, err := out.Complete(ctx, p.upload)
			if errors.Is(err, objstore.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			return out.Delete(ctx, p.upload.Key)
		})
	}
	g.Go(func() error { return unpublishSuccess(ctx, job.ID, out, outputName(prefix, state.SuccessName)) })
	return g.Wait()
}

// unpublishSuccess deletes a _SUCCESS object that this job wrote.
func unpublishSuccess(ctx context.Context, id state.JobID, out objstore.Bucket, key string) error {
	text, err := objstore.ReadAll(ctx, out, key)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var success state.Success
	if json.Unmarshal(text, &success) != nil || success.Job != id {
		return nil // somebody else's
	}
	return out.Delete(ctx, key)
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
