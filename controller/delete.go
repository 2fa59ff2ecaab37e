package controller

import (
	"context"
	"errors"
	"fmt"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// Delete removes the history of a job that has ended: its logs, and its records in Redis and on the
// store; never its output. It may be repeated after an error. It fails with state.ErrIllegal for a
// job that has not ended.
func (c *Controller) Delete(ctx context.Context, id job.ID) error {
	phase, err := c.cfg.Store.Phase(ctx, id)
	if err != nil {
		return err
	}
	if phase != job.PhaseEnded {
		return fmt.Errorf("delete %s in phase %s: %w", id, phase, state.ErrIllegal)
	}
	if err := c.deleteHistory(ctx, id); err != nil {
		return fmt.Errorf("delete %s: %w", id, err)
	}
	return nil
}

// deleteHistory removes an ended job's records, those on the store first: as long as Redis knows
// the job, the deletion can be repeated.
func (c *Controller) deleteHistory(ctx context.Context, id job.ID) error {
	if err := c.dropRecords(ctx, id); err != nil {
		return err
	}
	if err := deleteAll(ctx, c.work, c.records(id).LogFolder()); err != nil {
		return err
	}
	return c.cfg.Store.Erase(ctx, id)
}

// How full Redis is, as a fraction of its limit, when relieve starts to remove history, and when it
// stops.
const (
	fullFrom  = 0.85
	fullUntil = 0.75
	// erasedAtOnce is how many jobs are removed before relieve asks Redis again.
	erasedAtOnce = 50
)

// relieve removes the history of the oldest jobs while Redis is almost full, so that the jobs that
// have not ended can continue and others can be submitted. If that is not enough, failed jobs are
// no longer kept for a retry; they end soon, and their history is removed the next time.
func (c *Controller) relieve(ctx context.Context) error {
	used, most, err := c.cfg.Store.Memory(ctx)
	if err != nil || most == 0 || float64(used) < fullFrom*float64(most) {
		return err
	}
	for ids, err := range c.cfg.Store.Oldest(ctx, job.PhaseEnded, erasedAtOnce) {
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := c.deleteHistory(ctx, id); err != nil && !errors.Is(err, state.ErrNoJob) {
				return err
			}
		}
		c.cfg.Log.Warn("Redis is almost full: history removed early", "jobs", len(ids), "used", used, "maxmemory", most)
		if used, most, err = c.cfg.Store.Memory(ctx); err != nil || float64(used) < fullUntil*float64(most) {
			return err
		}
	}
	if float64(used) < fullFrom*float64(most) {
		return nil
	}
	for ids, err := range c.cfg.Store.Oldest(ctx, job.PhaseKept, erasedAtOnce) {
		if err != nil {
			return err
		}
		for _, id := range ids {
			err := c.cfg.Store.Discard(ctx, id, state.AnyStage)
			if err != nil && !errors.Is(err, state.ErrNoJob) && !errors.Is(err, state.ErrIllegal) {
				return err
			}
		}
		c.cfg.Log.Warn("Redis is almost full: failed jobs can no longer be retried", "jobs", len(ids), "used", used, "maxmemory", most)
	}
	return nil
}
