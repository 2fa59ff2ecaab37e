package controller

import (
	"context"
	"errors"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// transient reports whether an error of the store may go away by itself.
func transient(err error) bool {
	return errors.Is(err, objstore.ErrThrottled) || errors.Is(err, objstore.ErrUnavailable) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// shouldRetry reports whether the step should be tried again after an error: always after one of
// Redis, without which nothing can be decided about the job, and as long as patience lasts after a
// transient one of the store. Patience starts when this controller first meets such an error in the
// stage, because the job may have waited before: there was no controller, or Redis had lost the
// job.
func (s *step) shouldRetry(err error, patience time.Duration) bool {
	// The order matters: the error of an unreachable store may contain one of the network, too.
	if !transient(err) && !errors.Is(err, errOutputBusy) {
		return state.IsOutage(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.note(s.job.ID)
	if n.trouble.stage != s.job.Stage {
		n.trouble = trouble{stage: s.job.Stage, since: time.Now()}
	}
	return time.Since(n.trouble.since) < patience
}

// retryOrGiveUp returns transient errors for CleanupTimeout, so that the clean-up is tried again.
// After that, and for all other errors, it logs what may be left behind ("": nothing) and returns
// nil.
func (s *step) retryOrGiveUp(what string, err error) error {
	if err == nil || movedOn(err) || s.shouldRetry(err, s.cfg.CleanupTimeout) {
		return err
	}
	s.cfg.Log.Error("clean-up failed, giving up", "job", s.job.ID, "left", what, "error", err)
	if what == "" {
		return nil
	}
	s.metrics.left.Inc()
	if s.cfg.Abandoned != nil {
		s.cfg.Abandoned(s.job.ID, what, err)
	}
	return nil
}
