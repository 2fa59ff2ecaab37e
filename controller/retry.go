package controller

import (
	"context"
	"errors"
	"fmt"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
	"github.com/bucketmill/bucketmill/state"
)

// Retry starts a failed job again where it stopped: what its map tasks committed stays. It
// fails, wrapping state.ErrIllegal, for a job that is not kept (any more), and with ErrOutputNotFree where
// the output was free when the job was planned, and is not now.
func (c *Controller) Retry(ctx context.Context, id job.ID) error {
	j, err := c.cfg.Store.Job(ctx, id)
	if err != nil {
		return err
	}
	if j.Phase != job.PhaseKept {
		return fmt.Errorf("retry %s in phase %s: only a failed job can be retried, and only for a time: %w", id, j.Phase, state.ErrIllegal)
	}
	spec, err := jobfile.Parse(j.Spec)
	if err != nil {
		return err
	}
	if err := c.claimOutput(ctx, id, spec, true); err != nil {
		if errors.Is(err, ErrOutputNotFree) {
			// The job stays as it is: another one may write there as soon as it is free again.
			err = errors.Join(err, c.unlockOutput(ctx, id, spec))
		}
		return err
	}
	if err := c.keepRecords(ctx, j, spec); err != nil {
		return errors.Join(err, c.unlockOutput(ctx, id, spec))
	}
	err = c.cfg.Store.Retry(ctx, id, j.Stage)
	if !errors.Is(err, state.ErrIllegal) && !errors.Is(err, state.ErrNoJob) {
		return err // of other errors nobody knows whether the job was retried
	}
	now, jobErr := c.cfg.Store.Job(ctx, id)
	if jobErr == nil && now.Phase != job.PhaseEnded && now.KeptUntil.IsZero() {
		return nil // it runs: the answer was lost, or another retry came first
	}
	if jobErr != nil && !errors.Is(jobErr, state.ErrNoJob) {
		return errors.Join(err, jobErr)
	}
	return errors.Join(err, c.unlockOutput(ctx, id, spec), c.dropRecords(ctx, id))
}
