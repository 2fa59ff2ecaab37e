package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/state"
)

// publish makes the output visible. Nothing of it was visible until now: every part is an upload
// that its attempt sealed. It completes all uploads and checks their sizes; _SUCCESS comes last.
// Any controller may do this again from the start, at any point.
func (s *step) publish(ctx context.Context) error {
	if s.broken != nil {
		return s.fail(ctx, s.broken)
	}
	err := s.publishParts(ctx)
	if err == nil || movedOn(err) {
		return err
	}
	err = fmt.Errorf("publish output %s: %w", s.out.location, err)
	if s.shouldRetry(err, s.cfg.PublishTimeout) {
		return err
	}
	// A failover may have brought back a publication that was done.
	success, done, readErr := s.out.published(ctx, s.job.ID, s.job.Parts())
	switch {
	case readErr != nil:
		return errors.Join(err, readErr)
	case done:
		return s.finishFound(ctx, success)
	}
	return s.fail(ctx, err)
}

func (s *step) publishParts(ctx context.Context) error {
	parts, lost, err := s.parts(ctx)
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		return s.redoLost(ctx, lost)
	}
	if err := s.keepPlan(ctx); err != nil {
		return err
	}
	counters, err := s.cfg.Store.Counters(ctx, s.job.ID)
	if err != nil {
		return err
	}
	if owned, err := s.takeOutput(ctx); err != nil || !owned {
		return cmp.Or(err, errOutputTaken)
	}
	before, done, err := s.publishedBefore(ctx)
	if done || err != nil {
		return err
	}
	if why := s.unusable(counters); why != nil {
		return s.fail(ctx, why)
	}
	if before != nil && s.spec.Overwrite {
		if err := s.deleteOld(ctx, s.out.key(layout.SuccessName)); err != nil {
			return err
		}
	}
	lost, err = s.out.complete(ctx, parts)
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		return s.redo(ctx, lost)
	}
	if s.spec.Overwrite {
		if err := s.deleteOldParts(ctx, len(parts)); err != nil {
			return err
		}
	}
	skipped, lost, err := s.publishSkipped(ctx, counters)
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		return s.redo(ctx, lost)
	}
	text, err := s.report(parts, counters, skipped).Encode()
	if err != nil {
		return err
	}
	if err := s.putSuccess(ctx, text); err != nil {
		return err
	}
	return s.finish(ctx)
}

// publishedBefore completes the job if its output was published before. Otherwise it returns the
// _SUCCESS object that may be there, or fails with errOutputTaken if that is of a job whose output
// must not be replaced.
func (s *step) publishedBefore(ctx context.Context) (there *layout.Success, done bool, err error) {
	there, done, err = s.out.published(ctx, s.job.ID, s.job.Parts())
	if err != nil {
		return nil, false, err
	}
	if done {
		return there, true, s.finishFound(ctx, there)
	}
	taken, err := takenOver(s.job.ID, s.job.Plan, there)
	if taken {
		err = cmp.Or(err, errOutputTaken)
	}
	return there, false, err
}

// report is the content of the _SUCCESS object.
func (s *step) report(parts []part, counters map[string]int64, skipped []layout.SuccessSkipped) layout.Success {
	report := layout.Success{Job: s.job.ID, Name: s.job.Name, Counters: counters, Skipped: skipped}
	for i, p := range parts {
		report.Parts = append(report.Parts, layout.SuccessPart{
			Name: layout.PartName(i), Bytes: p.Bytes, Records: p.Records, Checksum: p.Checksum,
		})
		report.Records += p.Records
		report.Bytes += p.Bytes
	}
	return report
}

// finish completes the job. If the job was cancelled during its publication, finish deletes
// _SUCCESS, which is no longer true. If the job has left the stage in any other way, there is
// nothing to do: another controller has finished it, or a failover has sent it back to an earlier
// phase, where a controller finds the output complete.
func (s *step) finish(ctx context.Context) error {
	err := s.cfg.Store.Finish(ctx, s.job.ID, s.job.Stage)
	if !errors.Is(err, state.ErrIllegal) {
		return err
	}
	now, jobErr := s.cfg.Store.Job(ctx, s.job.ID)
	if jobErr == nil && (now.State == job.Cancelled || now.State == job.Failed) && !now.PublishedFrom.IsZero() {
		return errors.Join(err, s.out.deleteSuccess(ctx, s.job.ID))
	}
	return err
}

// redoLost is redo, unless the job was published before: then its clean-up has removed the
// manifests, and a failover of Redis has brought the publication back.
func (s *step) redoLost(ctx context.Context, lost []state.Lost) error {
	if _, done, err := s.publishedBefore(ctx); done || err != nil {
		return err
	}
	return s.redo(ctx, lost)
}

// redo has tasks done again: the store has lost or damaged something of theirs that the publication
// needs. The parts of all other tasks stay.
func (s *step) redo(ctx context.Context, lost []state.Lost) error {
	for _, l := range lost {
		s.cfg.Log.Warn("task is done again: an object that the publication needs is lost or damaged", "job", s.job.ID, "attempt", l.Attempt, "error", l.Why)
	}
	return s.cfg.Store.Redo(ctx, s.job.ID, s.job.Stage, lost, s.cfg.Limits)
}

// deleteOldParts removes the parts of an overwritten output that had more of them.
func (s *step) deleteOldParts(ctx context.Context, parts int) error {
	old, err := s.out.find(ctx, "part-", func(key string) bool {
		index, ok := partIndex(key)
		return ok && index >= parts
	})
	if err != nil {
		return err
	}
	return s.deleteOld(ctx, old...)
}

// deleteOld deletes objects of the output, if the job is still in the step's stage.
func (s *step) deleteOld(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	if err := s.stillIn(ctx); err != nil {
		return err
	}
	return s.out.bucket.Delete(ctx, keys...)
}
