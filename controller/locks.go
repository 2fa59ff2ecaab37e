package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/state"
)

// A job has its output locked from its planning to the end of its clean-up. The lock is in another
// slot of Redis than the job, so no script sees both, and a request for the lock may be executed
// when its job is over. So a lock counts only as long as its job has not ended: after that any
// other job may take it, and if none does it is removed.

// notFreeError is a job.ErrOutputNotFree that says why.
type notFreeError struct{ error }

func notFree(format string, args ...any) error { return notFreeError{fmt.Errorf(format, args...)} }

func (e notFreeError) Unwrap() error      { return e.error }
func (notFreeError) Is(target error) bool { return target == job.ErrOutputNotFree }

// errOutputBusy is that the job which wrote to an output last has ended, but its clean-up has not.
var errOutputBusy = errors.New("is being cleaned up; try again in a moment")

// claimOutput locks the output and makes sure, unless the job may overwrite it, that nothing is
// there. Otherwise it fails with job.ErrOutputNotFree, and may have locked the output.
//
// What a job that was planned before left there, when a failover sent it back, is its own; but not
// if it is retried: its output was cleaned up when it failed, so what is there now is somebody
// else's.
func (s *step) claimOutput(ctx context.Context, retried bool) error {
	holder, err := s.lockOutput(ctx, s.out.url, s.job.ID)
	if err != nil {
		return err
	}
	if holder != s.job.ID {
		return s.outputHeld(ctx, holder)
	}
	if s.spec.Overwrite {
		return nil
	}
	b, prefix := s.out.bucket, strings.TrimSuffix(s.out.prefix, "/")
	if prefix != "" {
		if o, err := b.Stat(ctx, prefix); err == nil {
			return notFree("output %s: exists already, as an object of %d bytes; choose another place", s.out.location, o.Size)
		}
		prefix += "/"
	}
	for o, err := range b.List(ctx, prefix) {
		if err != nil { // a bucket that does not exist, too
			return fmt.Errorf("output %s: %w", s.out.location, err)
		}
		if !retried {
			if own, err := s.plannedBefore(ctx); err != nil || own {
				return err
			}
		}
		return notFree("output %s: is not empty (it has %s); choose another place, or overwrite it (--overwrite)",
			s.out.location, strings.TrimPrefix(o.Key, prefix))
	}
	return nil
}

// outputHeld says why the job can't have the output that another job has locked.
func (s *step) outputHeld(ctx context.Context, holder job.ID) error {
	j, err := s.cfg.Store.Job(ctx, holder)
	switch {
	case err != nil && !errors.Is(err, state.ErrNoJob):
		return err
	case err == nil && j.State.Terminal() && j.Phase != job.PhaseKept:
		return notFree("output %s: job %s has ended there and %w", s.out.location, holder, errOutputBusy)
	}
	return notFree("output %s: job %s is writing to it; wait for its end, or cancel it", s.out.location, holder)
}

// plannedBefore reports whether the job was planned before, so that its output was free, and a
// failover has sent it back from its publication: then what is in the output is its own. But a
// complete output is left alone.
func (s *step) plannedBefore(ctx context.Context) (bool, error) {
	there, err := s.out.success(ctx)
	if err != nil || there != nil {
		return false, err
	}
	layout := layout.Layout{Prefix: s.workPrefix, Job: s.job.ID}
	for _, err := range s.work.List(ctx, layout.PlanFolders()) {
		return err == nil, err
	}
	return false, nil
}

// takeOutput locks the output; false: another job has locked it.
func (s *step) takeOutput(ctx context.Context) (bool, error) {
	holder, err := s.lockOutput(ctx, s.out.url, s.job.ID)
	return holder == s.job.ID, err
}

// ownsOutput reports whether the job has the output locked. It takes no lock: a controller that is
// late must not lock the output for a job that has ended. A job that was planned had the lock, even
// if Redis has lost it since.
func (s *step) ownsOutput(ctx context.Context) (bool, error) {
	holder, err := s.cfg.Store.OutputHolder(ctx, s.out.url)
	return holder == s.job.ID || holder == "" && s.job.Plan != "", err
}

func (s *step) unlockOutput(ctx context.Context) error {
	return s.cfg.Store.UnlockOutput(ctx, s.out.url, s.job.ID)
}

// lockOutput locks an output, also if a job that is over has it locked. It returns the job that has
// the lock now.
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

// isOver reports whether a job has ended. A job that Redis does not know, but the store does, has
// not: it is about to be restored.
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
		c.cfg.Log.Warn("removing the lock on an output: its job is over", "output", url, "job", holder)
		if err := c.cfg.Store.UnlockOutput(ctx, url, holder); err != nil {
			return err
		}
	}
	return nil
}
