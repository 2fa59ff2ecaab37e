package controller

import (
	"context"
	"errors"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// notifyTimeout is how long a job's end waits for its webhook: less than holdTTL, so that no other
// controller calls the webhook, too.
const notifyTimeout = 10 * time.Second

// notify reports to the job's webhook, if it has one, how the job ended: at least once for each
// ending, as the transition that follows may be lost and the clean-up done again, by this or
// another controller. For a job that was kept, the webhook was called before. If the call fails,
// the job ends all the same, and an event of the job says so.
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
		return err // this controller is stopping: the next one calls the webhook
	}
	s.metrics.webhooks.WithLabelValues("failed").Inc()
	noted := s.cfg.Store.Note(ctx, s.job.ID, state.NoteWebhookFailed, job.Failure{Class: job.ClassJob, Message: why.Error()})
	s.cfg.Log.Error("webhook call failed", "job", s.job.ID, "error", errors.Join(why, noted))
	return nil
}
