package executor

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/bucketmill/bucketmill/executor/sampling"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// boundsPause is the time between two looks for a job's bounds.
const boundsPause = 100 * time.Millisecond

// findBounds returns the job's bounds, and makes them if no other attempt does. While another
// attempt holds the lock on sampling, waiting counts as progress: if the holder hangs, its task is
// reassigned, and its lock expires.
func (t *mapTask) findBounds(ctx context.Context) (*sampling.Bounds, error) {
	if t.job.spec.SortOrder != job.OrderTotal || t.job.reduces <= 1 {
		return &sampling.Bounds{Partitioner: shuffle.Partitioner{Partitions: t.job.reduces}}, nil
	}
	for {
		if b := t.job.bounds.Load(); b != nil {
			return b, nil
		}
		b, err := t.tryBounds(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err == nil && b != nil:
			t.job.bounds.Store(b)
			return b, nil
		case err != nil && (!state.IsOutage(err) || errors.Is(err, objstore.ErrUnavailable)):
			return nil, err
		}
		pause(ctx, boundsPause)
	}
}

// tryBounds tries once to find or make the bounds. It returns nil if another attempt makes them.
func (t *mapTask) tryBounds(ctx context.Context) (*sampling.Bounds, error) {
	finder, sampled := t.executor.boundsFinder(), t.job.sampled()
	err := t.job.findingBounds.join(ctx, t.executor, t.attempt, func(ctx context.Context, _ func()) error {
		if t.job.bounds.Load() != nil {
			return nil
		}
		b, err := finder.Find(ctx, sampled)
		if err == nil {
			t.job.bounds.Store(b)
		}
		return err
	})
	var missing *sampling.MissingError
	if !errors.As(err, &missing) {
		return t.job.bounds.Load(), err
	}
	b, err := finder.Make(ctx, sampled, t.attempt.Attempt, missing, t.sampler())
	if b == nil && err == nil {
		t.attempt.progressed()
	}
	return b, err
}

func (e *Executor) boundsFinder() *sampling.Finder {
	return &sampling.Finder{
		Executor: e.cfg.ID, Store: e.cfg.Store, Work: e.work, Log: e.cfg.Log, Lease: e.cfg.Lease, Heartbeat: e.cfg.Heartbeat,
	}
}

// sampled returns what is needed of the job to find its bounds.
func (j *jobContext) sampled() sampling.Job {
	return sampling.Job{
		ID: j.id, Born: j.born, Restored: j.restored, Partitions: j.reduces, Layout: j.layout, Pages: j.plan.Pages,
	}
}

// sampler returns a sampler of the job's keys that works in the name of the attempt.
func (t *mapTask) sampler() *sampling.Sampler {
	e, j := t.executor, t.job
	return &sampling.Sampler{
		Program: j.program, Format: j.format, Options: SplitOptions(j.format, e.slotMemory()),
		Maps: j.maps, Partitions: j.reduces, SortValues: j.spec.SortValues, SkipBad: j.maySkip(),
		Scratch: filepath.Join(t.scratch, "sample"),
		Splits: func(ctx context.Context, task int) (input.Task, error) {
			return j.task(ctx, e, t.attempt, task)
		},
		Open: func(ctx context.Context, s input.Split, opts input.Options) (*input.Reader, error) {
			return e.openSplit(ctx, j, s, opts)
		},
		Attempt: t.programAttempt, Progressed: t.attempt.progressed,
	}
}
