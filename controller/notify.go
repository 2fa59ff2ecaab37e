package controller

import (
	"context"
	"errors"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// notifyTimeout is how long a job's end, and the jobs that this controller would look after
// next, wait for a webhook: less than minderTTL, so that no other controller tells it too.
const notifyTimeout = 10 * time.Second

// notify tells the job's webhook, if it has one, how the job ended: at least once for each
// ending, as the transition that follows may be lost and clean-up done again, here or by
// another controller. A job that was kept has told already. A webhook that fails is noted
// among the job's events; the job ends all the same.
func (s *step) notify(ctx context.Context) error {
	if s.spec.Webhook == "" || s.cfg.Notify == nil || !s.job.KeptUntil.IsZero() {
		return nil
	}
	counters, err := s.cfg.Store.Counters(ctx, s.job.ID)
	if err != nil {
		return err
	}
	sending, cancel := context.WithTimeout(ctx, notifyTimeout)
	defer cancel()
	why := s.cfg.Notify(sending, s.job, s.spec, counters)
	if why == nil {
		s.metrics.webhooks.WithLabelValues("delivered").Inc()
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err // this controller is stopping: the next one tells
	}
	s.metrics.webhooks.WithLabelValues("failed").Inc()
	noted := s.cfg.Store.Note(ctx, s.job.ID, state.NoteWebhookFailed, job.Failure{Class: job.ClassJob, Message: why.Error()})
	s.cfg.Log.Error("webhook call failed", "job", s.job.ID, "error", errors.Join(why, noted))
	return nil
}
