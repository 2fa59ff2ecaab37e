package controller

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// An output is locked by the job that writes there, from its planning to the end of its clean-up. The lock
// is in another slot than the job, so no script sees both, and a request for it may be executed when its job
// is over. So a lock counts for as much as its job: one whose job has ended is anybody's to take, and is
// removed when nobody does.

// takeOutput takes the lock on a job's output; false: another job holds it.
func (c *Controller) takeOutput(ctx context.Context, id job.ID, spec job.Spec) (bool, error) {
	b, key, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return false, err
	}
	holder, err := c.lockOutput(ctx, outputURL(b, key), id)
	return holder == id, err
}

func (c *Controller) unlockOutput(ctx context.Context, id job.ID, spec job.Spec) error {
	b, key, err := c.cfg.Open(ctx, spec.Output)
	if err != nil {
		return err
	}
	return c.cfg.Store.UnlockOutput(ctx, outputURL(b, key), id)
}

// lockOutput takes the lock on an output, also from a job that is over.
func (c *Controller) lockOutput(ctx context.Context, url string, id job.ID) (job.ID, error) {
	holder, err := c.cfg.Store.LockOutput(ctx, url, id)
	if err != nil || holder == id {
		return holder, err
	}
	if over, err := c.isOver(ctx, holder); err != nil || !over {
		return holder, err
	}
	if err := c.cfg.Store.UnlockOutput(ctx, url, holder); err != nil {
		return holder, err
	}
	return c.cfg.Store.LockOutput(ctx, url, id)
}

// isOver tells whether a job has ended. One that Redis does not know, but the store does, has not: it is
// about to be restored.
func (c *Controller) isOver(ctx context.Context, id job.ID) (bool, error) {
	phase, err := c.cfg.Store.Phase(ctx, id)
	if !errors.Is(err, state.ErrNoJob) {
		return err == nil && phase == job.PhaseEnded, err
	}
	if !c.cfg.Durable {
		return true, nil
	}
	_, err = c.work.Stat(ctx, c.records(id).Record())
	if isNotFound(err) {
		return true, nil
	}
	return false, err
}

// freeOutputs removes the locks of jobs that are over.
func (c *Controller) freeOutputs(ctx context.Context) error {
	locks, err := c.cfg.Store.OutputLocks(ctx)
	if err != nil {
		return err
	}
	for _, url := range slices.Sorted(maps.Keys(locks)) {
		holder := locks[url]
		over, err := c.isOver(ctx, holder)
		if err != nil {
			return err
		}
		if !over {
			continue
		}
		c.cfg.Log.Warn("an output was locked by a job that is over", "output", url, "job", holder)
		if err := c.cfg.Store.UnlockOutput(ctx, url, holder); err != nil {
			return err
		}
	}
	return nil
}
