package controller

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// leaveOutput cleans up the output and unlocks it. A job whose plan failed because the output was
// not free never wrote there, and one that was kept has left the output to others already.
func (s *step) leaveOutput(ctx context.Context) error {
	if !s.job.KeptUntil.IsZero() {
		return s.unlockOutput(ctx) // a retry that was refused may have locked it
	}
	owned, err := s.ownsOutput(ctx)
	if err != nil || !owned {
		return err
	}
	if err := s.retryOrGiveUp("output", s.cleanOutput(ctx)); err != nil {
		return err
	}
	return s.unlockOutput(ctx)
}

// cleanOutput aborts the uploads of attempts without a result and takes back what a job that did
// not complete has published.
func (s *step) cleanOutput(ctx context.Context) error {
	if s.job.Plan == "" && !s.job.Restored {
		return nil // no attempt ever ran
	}
	if s.job.State == job.Completed {
		repeated, err := s.cfg.Store.Repeated(ctx, s.job.ID)
		if err != nil {
			return err
		}
		if !repeated && !s.job.Restored {
			// Every attempt that Redis knows has committed. It may have forgotten one in a
			// failover, which died before it aborted its upload.
			return s.abortBelow(ctx, s.out.key("part-"))
		}
		return s.abortUploads(ctx)
	}
	// Uploads whose manifests are lost are found by their keys.
	parts, lost, err := s.committedParts(ctx)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := s.out.bucket.Abort(ctx, p.upload); err != nil {
			return err
		}
	}
	if err := s.abortUploads(ctx); err != nil {
		return err
	}
	if s.job.PublishedFrom.IsZero() {
		return nil
	}
	there, err := s.out.success(ctx)
	if err != nil {
		return err
	}
	if taken, err := takenOver(s.job.ID, s.job.Plan, there); err != nil || taken {
		return err // the other job has its own parts there, perhaps with the same bytes
	}
	if err := s.stillIn(ctx); err != nil {
		return err
	}
	if err := s.out.deleteSuccess(ctx, s.job.ID); err != nil {
		return err
	}
	if err := s.unpublishSkipped(ctx); err != nil {
		return err
	}
	if err := s.unpublish(ctx, parts); err != nil {
		return err
	}
	return s.out.checkInvisible(ctx, lost)
}

// exactUploads is how many parts abortUploads asks for one by one.
const exactUploads = 10_000

// abortUploads aborts the uploads of parts that nobody knows, because their attempts were lost.
// Some stores (MinIO) list uploads reliably only by their whole key.
func (s *step) abortUploads(ctx context.Context) error {
	if err := s.abortBelow(ctx, s.out.key("part-")); err != nil {
		return err
	}
	_, parts := outputSide(s.job)
	return each(ctx, below(min(parts, exactUploads)), func(ctx context.Context, i int) error {
		return s.abortBelow(ctx, s.out.key(layout.PartName(i)))
	})
}

// abortBelow aborts the uploads of parts whose keys start with prefix. Before each it asks whether
// the job is still in the step's stage: a controller that was held up might meet the uploads of the
// next job.
func (s *step) abortBelow(ctx context.Context, prefix string) error {
	for u, err := range s.out.bucket.Uploads(ctx, prefix) {
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, ok := partIndex(u.Key); !ok {
			continue
		}
		if err := s.stillIn(ctx); err != nil {
			return err
		}
		if err := s.out.bucket.Abort(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// unpublish deletes the visible parts that this job's own uploads made. It completes nothing. Parts
// of which the store does not say who made them stay, and are in the error. Before each deletion it
// asks whether the job is still in the step's stage: a job that was retried goes on.
func (s *step) unpublish(ctx context.Context, parts []part) error {
	var unproven atomic.Pointer[error] // about one of the parts
	err := each(ctx, slices.Values(parts), func(ctx context.Context, p part) error {
		own, err := s.out.bucket.Made(ctx, p.upload)
		if errors.Is(err, objstore.ErrUnproven) {
			unproven.Store(&err)
			return nil
		}
		if err != nil || !own {
			return err
		}
		return s.deleteOld(ctx, p.upload.Key)
	})
	if why := unproven.Load(); err == nil && why != nil {
		return *why
	}
	return err
}
