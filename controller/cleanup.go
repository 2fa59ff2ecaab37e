package controller

import (
	"context"
	"errors"
	"iter"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
)

// cleanUp removes what a job left behind, however it ended: unfinished uploads, parts of an output
// that was not completed, intermediates, the plan. Only its history stays. It may be done again
// from the start, at any point. What the store refuses permanently (access denied, say), or for too
// long, is left: a job must end.
func (s *step) cleanUp(ctx context.Context) error {
	layout, err := s.layout()
	if err != nil {
		return err
	}
	if err := s.stillIn(ctx); err != nil {
		return err // a failover has sent the job back, and it needs all that is there
	}
	if err := s.retryOrGiveUp("record", s.dropRecords(ctx, s.job.ID)); err != nil {
		return err
	}
	if s.out != nil { // otherwise nothing was ever written there
		if found, err := s.completedBefore(ctx); found || err != nil {
			return err
		}
		if err := s.leaveOutput(ctx); err != nil {
			return err
		}
	}
	if s.cfg.KeepFailed > 0 && s.job.State == job.Failed && s.job.Plan != "" && s.job.KeptUntil.IsZero() {
		return s.keep(ctx)
	}
	if !s.spec.KeepIntermediates {
		if err := s.retryOrGiveUp("unfinished segments", s.abortSegments(ctx, layout)); err != nil {
			return err
		}
		if err := s.retryOrGiveUp("intermediates", s.deleteFolders(ctx, layout.Folders())); err != nil {
			return err
		}
	}
	if err := s.notify(ctx); err != nil {
		return err
	}
	s.cfg.Log.Info("job ended", "job", s.job.ID, "state", s.job.State)
	if err := s.cfg.Store.Forget(ctx, s.job.ID, s.job.Stage, max(s.cfg.History, 0)); err != nil {
		return err
	}
	s.metrics.jobEnded(s.job)
	return nil
}

// completedBefore completes a failed or cancelled job if its output was published before a failover
// of Redis, and returns true then. Such a job was sent back to an earlier phase, and could not
// continue: its intermediates are gone.
func (s *step) completedBefore(ctx context.Context) (bool, error) {
	if s.job.State == job.Completed || !s.job.PublishedFrom.IsZero() {
		return false, nil
	}
	success, done, err := s.out.published(ctx, s.job.ID, s.job.Parts())
	if err != nil || !done {
		return false, s.retryOrGiveUp("", err)
	}
	s.cfg.Log.Warn("job had completed before a failover", "job", s.job.ID, "since", s.job.State)
	return true, s.finishFound(ctx, success)
}

// keep keeps a failed job for a retry.
func (s *step) keep(ctx context.Context) error {
	if err := s.notify(ctx); err != nil {
		return err
	}
	s.cfg.Log.Info("job failed, and may be retried", "job", s.job.ID, "within", s.cfg.KeepFailed)
	err := s.cfg.Store.Keep(ctx, s.job.ID, s.job.Stage, s.cfg.KeepFailed)
	if err == nil {
		s.metrics.jobEnded(s.job)
	}
	return err
}

// abortSegments aborts the uploads of segment files that attempts without a result had begun.
// Uploads that the store lists by prefix are found without their attempts: see abortUploads.
func (s *step) abortSegments(ctx context.Context, layout layout.Layout) error {
	if s.job.Plan == "" {
		return nil
	}
	void, err := s.cfg.Store.Void(ctx, s.job.ID)
	if err != nil {
		return err
	}
	return each(ctx, mapsOf(void), func(ctx context.Context, a job.AttemptID) error {
		return abortAll(ctx, s.work, layout.Segment(a))
	})
}

// mapsOf yields the attempts at map tasks.
func mapsOf(attempts []job.AttemptID) iter.Seq[job.AttemptID] {
	return func(yield func(job.AttemptID) bool) {
		for _, a := range attempts {
			if a.Task.Side == job.Map && !yield(a) {
				return
			}
		}
	}
}

// deleteFolders deletes folders of the work store with deleteAll. It continues with the next one
// only if the store answers, and the job is still in the step's stage.
func (s *step) deleteFolders(ctx context.Context, folders []string) (err error) {
	for _, folder := range folders {
		if moved := s.stillIn(ctx); moved != nil {
			return moved
		}
		if err = errors.Join(err, deleteAll(ctx, s.work, folder)); transient(err) {
			break
		}
	}
	return err
}
