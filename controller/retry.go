package controller

import (
	"context"
	"errors"
	"fmt"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// Retry starts a failed job again where it stopped: what its map tasks committed stays. It fails
// with state.ErrIllegal for a job that is not kept, or no longer, and with job.ErrOutputNotFree if
// the output was free when the job was planned, and is not now.
func (c *Controller) Retry(ctx context.Context, id job.ID) error {
	j, err := c.cfg.Store.Job(ctx, id)
	if err != nil {
		return err
	}
	if j.Phase != job.PhaseKept {
		return fmt.Errorf("retry %s in phase %s: only a failed job can be retried, and only for a time: %w", id, j.Phase, state.ErrIllegal)
	}
	st := c.newStep(ctx, j)
	if st.broken != nil {
		return st.broken
	}
	if err := st.claimOutput(ctx, true); err != nil {
		if errors.Is(err, job.ErrOutputNotFree) {
			// The job stays as it is: another one may write there as soon as the output is free
			// again.
			err = errors.Join(err, st.unlockOutput(ctx))
		}
		return err
	}
	if err := st.keepRecords(ctx); err != nil {
		return errors.Join(err, st.unlockOutput(ctx))
	}
	err = c.cfg.Store.Retry(ctx, id, j.Stage)
	if !errors.Is(err, state.ErrIllegal) && !errors.Is(err, state.ErrNoJob) {
		return err // after other errors the job may have been retried
	}
	now, jobErr := c.cfg.Store.Job(ctx, id)
	if jobErr == nil && now.Phase != job.PhaseEnded && now.KeptUntil.IsZero() {
		return nil // the job runs: the answer was lost, or another retry came first
	}
	if jobErr != nil && !errors.Is(jobErr, state.ErrNoJob) {
		return errors.Join(err, jobErr)
	}
	return errors.Join(err, st.unlockOutput(ctx), c.dropRecords(ctx, id))
}
