package executor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// bounds are how a job's map tasks choose partitions; all of them must agree.
//
// A job of total order has its bounds on the work store, and their name, which is a hash of them, in
// Redis. Whoever finds no name there takes a lock, samples the input, stores what came of it, and sets the
// name; others wait for it. A sampler that dies loses the lock with its TTL. Should two of them sample,
// the name that was set first counts, and the same input gives the same bounds anyhow. So bounds that the
// store has lost are made again: they are the same if they have the same name.
type bounds struct {
	name        string // "" where partitions are chosen by hash
	partitioner shuffle.Partitioner
}

// boundsPause is how often it is looked whether a job's bounds are there.
const boundsPause = 100 * time.Millisecond

// bounds returns a job's bounds, and makes them if nobody else does. While it waits, the attempt
// gets on as long as somebody holds the lock: whoever hangs is given away, and the lock with it.
func (e *Executor) bounds(ctx context.Context, a *attempt, j *jobContext, scratch string) (*bounds, error) {
	if j.spec.SortOrder != job.OrderTotal || j.reduces <= 1 {
		return &bounds{partitioner: shuffle.Partitioner{Partitions: j.reduces}}, nil
	}
	for {
		if b := j.bounds.Load(); b != nil {
			return b, nil
		}
		b, err := e.findBounds(ctx, a, j, scratch)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err == nil && b != nil:
			j.bounds.Store(b)
			return b, nil
		case err != nil && (!state.IsOutage(err) || errors.Is(err, objstore.ErrUnavailable)):
			return nil, err
		}
		pause(ctx, boundsPause)
	}
}

// findBounds is one try of it; nil: somebody else is at it.
func (e *Executor) findBounds(ctx context.Context, a *attempt, job *jobContext, scratch string) (*bounds, error) {
	err := job.seeking.join(ctx, e, a, func(ctx context.Context, _ func()) error { return e.lookForBounds(ctx, job) })
	var missing *missingBounds
	if !errors.As(err, &missing) {
		return job.bounds.Load(), err
	}
	token := fmt.Sprintf("%s/%s/%d", e.cfg.ID, a.Attempt.Name(), a.Attempt.Claimed)
	held, err := e.cfg.Store.HoldSampler(ctx, job.id, token, e.cfg.Lease)
	if err != nil {
		return nil, err
	}
	if !held {
		a.progressed()
		return nil, nil
	}
	b, err := e.makeBounds(ctx, a, job, scratch, token, missing.name)
	if errors.Is(err, errOtherSample) {
		err = fmt.Errorf("%w; %w", missing.err, err)
	}
	return b, err
}

// missingBounds says that bounds must be made.
type missingBounds struct {
	name string // of those that were lost; "": there never were any
	err  error  // why they can't be read, in that case
}

func (m *missingBounds) Error() string { return "there are no partition bounds" }

var (
	// errOtherBounds says that an object is not the bounds that it is named by.
	errOtherBounds = errors.New("they are not what was written")
	// errOtherSample says that bounds are lost for good.
	errOtherSample = errors.New("the program gives others when it is asked again, and tasks were mapped by the old ones")
)

// lookForBounds loads a job's bounds for all its attempts here, or fails with missingBounds.
func (e *Executor) lookForBounds(ctx context.Context, job *jobContext) error {
	if job.bounds.Load() != nil {
		return nil
	}
	name, err := e.cfg.Store.Bounds(ctx, job.id, job.born)
	if err != nil {
		return err
	}
	if name == "" {
		return &missingBounds{}
	}
	b, err := e.loadBounds(ctx, job, name)
	if errors.Is(err, objstore.ErrNotFound) || errors.Is(err, errOtherBounds) {
		return &missingBounds{name: name, err: err}
	}
	if err == nil {
		job.bounds.Store(b)
	}
	return err
}

// makeBounds samples, holding the lock, stores the bounds and sets their name. If they have one, since
// they are lost, they must get it again.
func (e *Executor) makeBounds(ctx context.Context, a *attempt, job *jobContext, scratch, token, had string) (_ *bounds, err error) {
	holding, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for pause(holding, e.cfg.Heartbeat); holding.Err() == nil; pause(holding, e.cfg.Heartbeat) {
			if _, err := e.cfg.Store.HoldSampler(holding, job.id, token, e.cfg.Lease); err != nil && holding.Err() == nil {
				e.cfg.Log.Warn("hold on to sampling a job", "job", job.id, "error", err)
			}
		}
	}()
	defer func() {
		stop()
		<-done
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		defer cancel()
		if releaseErr := e.cfg.Store.ReleaseSampler(release, job.id, token); releaseErr != nil && err == nil {
			e.cfg.Log.Warn("release the sampling of a job; that ends by itself", "job", job.id, "error", releaseErr)
		}
	}()
	name, err := e.storedBounds(ctx, job, had)
	if err != nil {
		return nil, err
	}
	if name == "" {
		made := ""
		defer func() {
			if err != nil && made != "" {
				e.dropVainBounds(ctx, job, made)
			}
		}()
		made, err = e.sampleBounds(ctx, a, job, scratch, had)
		if err != nil {
			return nil, err
		}
		name = made
	}
	if name, err = e.cfg.Store.SetBounds(ctx, job.id, job.born, name); err != nil {
		return nil, err
	}
	return e.loadBounds(ctx, job, name)
}

// sampleBounds puts the bounds that a sample gives on the work store, and returns their name, which must be
// the one that they had, if any. It returns that with an error, too, if they may be there all the same.
func (e *Executor) sampleBounds(ctx context.Context, a *attempt, job *jobContext, scratch, had string) (string, error) {
	began := time.Now()
	s := &sampler{taskEnv: taskEnv{executor: e, attempt: a, job: job, scratch: scratch}}
	p, err := s.run(ctx)
	if err != nil {
		return "", fmt.Errorf("sample keys for the total order: %w", err)
	}
	data := shuffle.AppendBounds(nil, p)
	name := boundsName(data)
	if had != "" && name != had {
		return "", errOtherSample
	}
	if _, err := e.work.Put(ctx, job.layout.Bounds(job.plan.Pages, name), data); err != nil {
		return name, err
	}
	e.cfg.Log.Info("keys sampled for the total order", "job", job.id, "attempt", a.Attempt.Name(), "bounds", name,
		"bytes", s.read, "boundaries", len(p.Boundaries), "spread", len(p.Spread), "took", time.Since(began).Round(time.Millisecond))
	return name, nil
}

// dropVainBounds removes bounds that were made for a job that is over: whoever was held up may come when the
// clean-up has been. Those of a job that goes on, perhaps restored, are the same that others made.
func (e *Executor) dropVainBounds(ctx context.Context, j *jobContext, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	now, err := e.cfg.Store.Job(ctx, j.id)
	if errors.Is(err, state.ErrNoJob) || err == nil && (now.Phase == job.PhaseCleanup || now.Phase == job.PhaseEnded) {
		err = e.work.Delete(ctx, j.layout.Bounds(j.plan.Pages, name))
	}
	if err != nil {
		e.cfg.Log.Warn("remove partition bounds that nobody wants", "job", j.id, "bounds", name, "error", err)
	}
}

// storedBounds looks for bounds that a restored job had before Redis lost their name, so that they
// need not be made again; "": there are none. Any will do: they are for the same plan. Those that were lost,
// and had a name, another may have made again meanwhile.
func (e *Executor) storedBounds(ctx context.Context, job *jobContext, had string) (string, error) {
	if had != "" {
		if _, err := e.loadBounds(ctx, job, had); err == nil {
			return had, nil
		}
		return "", nil
	}
	// Another may have named some between our look and the lock.
	if name, err := e.cfg.Store.Bounds(ctx, job.id, job.born); err != nil || name != "" || !job.restored {
		return name, err
	}
	prefix := job.layout.BoundsPrefix(job.plan.Pages)
	for o, err := range e.work.List(ctx, prefix) {
		if err != nil {
			return "", err
		}
		name := strings.TrimPrefix(o.Key, prefix)
		if _, err := e.loadBounds(ctx, job, name); err == nil {
			return name, nil
		}
	}
	return "", nil
}

// maxBounds is more than the bounds of any job have, in bytes: they are keys of a sample.
const maxBounds = 1 << 30

// loadBounds reads bounds from the work store. What they are not called by, they are not.
func (e *Executor) loadBounds(ctx context.Context, job *jobContext, name string) (*bounds, error) {
	data, err := objstore.ReadAll(ctx, e.work, job.layout.Bounds(job.plan.Pages, name), maxBounds)
	if err != nil {
		return nil, fmt.Errorf("read the partition bounds: %w", err)
	}
	if boundsName(data) != name {
		return nil, fmt.Errorf("read the partition bounds: %w", errOtherBounds)
	}
	p, err := shuffle.ParseBounds(data)
	if err == nil && p.Partitions != job.reduces {
		err = fmt.Errorf("they are for %d partitions, not %d", p.Partitions, job.reduces)
	}
	if err != nil {
		return nil, fmt.Errorf("read the partition bounds: %w", err)
	}
	return &bounds{name: name, partitioner: p}, nil
}

// boundsName is what bounds are called.
func boundsName(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}
