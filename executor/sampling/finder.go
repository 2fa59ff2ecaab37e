package sampling

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// Bounds are how a job's map tasks choose the partition of a key.
type Bounds struct {
	Name        string // of the object on the work store; "" if keys choose their partition by hash
	Partitioner shuffle.Partitioner
}

// Job is a job of total order.
type Job struct {
	ID         job.ID
	Born       int64 // its birth
	Restored   bool  // Redis had lost it: its bounds may be on the store without a name in Redis
	Partitions int
	Layout     layout.Layout
	Pages      string // names its plan
}

// Finder finds and makes the bounds of jobs, for one executor. Its methods may be called
// concurrently.
type Finder struct {
	Executor         job.ExecutorID
	Store            *state.Store
	Work             objstore.Bucket
	Log              *slog.Logger
	Lease, Heartbeat time.Duration // of the lock on sampling, as for attempts
}

// MissingError says that a job has no bounds that can be read, so that they must be made.
type MissingError struct {
	name string // of the bounds that were lost; "": the job never had any
	err  error  // why these can't be read
}

func (m *MissingError) Error() string { return "there are no partition bounds" }

var (
	// errNotTheseBounds says that an object is not the bounds that its name says.
	errNotTheseBounds = errors.New("they are not what was written")
	// errOtherSample says that bounds are lost for good.
	errOtherSample = errors.New("the program gives others when it is asked again, and tasks were mapped by the old ones")
)

// Find returns a job's bounds. It fails with a *MissingError if they must be made.
func (f *Finder) Find(ctx context.Context, j Job) (*Bounds, error) {
	name, err := f.Store.Bounds(ctx, j.ID, j.Born)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, &MissingError{}
	}
	b, err := f.load(ctx, j, name)
	if errors.Is(err, objstore.ErrNotFound) || errors.Is(err, errNotTheseBounds) {
		return nil, &MissingError{name: name, err: err}
	}
	return b, err
}

// Make makes bounds that are missing, by a sample, in the name of an attempt. It returns nil if
// another attempt holds the lock on sampling the job.
func (f *Finder) Make(ctx context.Context, j Job, a job.AttemptID, missing *MissingError, s *Sampler) (*Bounds, error) {
	token := fmt.Sprintf("%s/%s/%d", f.Executor, a.Name(), a.Claimed)
	held, err := f.Store.HoldSampler(ctx, j.ID, token, f.Lease)
	if err != nil || !held {
		return nil, err
	}
	b, err := f.makeHolding(ctx, j, a, token, missing.name, s)
	if errors.Is(err, errOtherSample) {
		err = fmt.Errorf("%w; %w", missing.err, err)
	}
	return b, err
}

// releaseTimeout limits what is still done after a sample although the attempt may have been
// stopped.
const releaseTimeout = 10 * time.Second

// makeHolding makes bounds and sets their name; it renews the lock meanwhile, and releases it.
// Bounds that were lost have a name, and must get the same one again.
func (f *Finder) makeHolding(ctx context.Context, j Job, a job.AttemptID, token, lost string, s *Sampler) (_ *Bounds, err error) {
	holding, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.keepHolding(holding, j, token)
	}()
	defer func() {
		stop()
		<-done
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer cancel()
		if releaseErr := f.Store.ReleaseSampler(release, j.ID, token); releaseErr != nil && err == nil {
			f.Log.Warn("releasing the lock on sampling a job failed; it will expire", "job", j.ID, "error", releaseErr)
		}
	}()
	name, err := f.stored(ctx, j, lost)
	if err != nil {
		return nil, err
	}
	if name == "" {
		made := ""
		defer func() {
			if err != nil && made != "" {
				f.dropUnused(ctx, j, made)
			}
		}()
		made, err = f.sample(ctx, j, a, lost, s)
		if err != nil {
			return nil, err
		}
		name = made
	}
	if name, err = f.Store.SetBounds(ctx, j.ID, j.Born, name); err != nil {
		return nil, err
	}
	return f.load(ctx, j, name)
}

// keepHolding renews the lock on sampling a job until ctx ends.
func (f *Finder) keepHolding(ctx context.Context, j Job, token string) {
	tick := time.NewTicker(f.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if ctx.Err() != nil {
			return
		}
		if _, err := f.Store.HoldSampler(ctx, j.ID, token, f.Lease); err != nil && ctx.Err() == nil {
			f.Log.Warn("renewing the lock on sampling a job failed", "job", j.ID, "error", err)
		}
	}
}

// sample puts the bounds that a sample gives on the work store, and returns their name. If bounds
// were lost, these must have the same name. With an error, a name means that the bounds may be
// there nevertheless.
func (f *Finder) sample(ctx context.Context, j Job, a job.AttemptID, lost string, s *Sampler) (string, error) {
	began := time.Now()
	p, err := s.run(ctx)
	if err != nil {
		return "", fmt.Errorf("sample keys for the total order: %w", err)
	}
	data := shuffle.AppendBounds(nil, p)
	name := nameOf(data)
	if lost != "" && name != lost {
		return "", errOtherSample
	}
	if _, err := f.Work.Put(ctx, j.Layout.Bounds(j.Pages, name), data); err != nil {
		return name, err
	}
	f.Log.Info("keys sampled for the total order", "job", j.ID, "attempt", a.Name(), "bounds", name,
		"bytes", s.read, "boundaries", len(p.Boundaries), "spread", len(p.Spread), "took", time.Since(began).Round(time.Millisecond))
	return name, nil
}

// dropUnused removes bounds that were made for a job that is over: the clean-up of the job may have
// been before they were stored. If the job goes on, perhaps restored, the bounds stay: others make
// the same.
func (f *Finder) dropUnused(ctx context.Context, j Job, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	now, err := f.Store.Job(ctx, j.ID)
	if errors.Is(err, state.ErrNoJob) || err == nil && (now.Phase == job.PhaseCleanup || now.Phase == job.PhaseEnded) {
		err = f.Work.Delete(ctx, j.Layout.Bounds(j.Pages, name))
	}
	if err != nil {
		f.Log.Warn("removing unused partition bounds failed", "job", j.ID, "bounds", name, "error", err)
	}
}

// stored looks for bounds that need not be made, and returns their name; "": there are none. A
// restored job may have had bounds before Redis lost their name. Any will do: they are for the same
// plan. If bounds were lost, another attempt may have made them again meanwhile.
func (f *Finder) stored(ctx context.Context, j Job, lost string) (string, error) {
	if lost != "" {
		if _, err := f.load(ctx, j, lost); err == nil {
			return lost, nil
		}
		return "", nil
	}
	// Another attempt may have set a name between Find and the lock.
	if name, err := f.Store.Bounds(ctx, j.ID, j.Born); err != nil || name != "" || !j.Restored {
		return name, err
	}
	prefix := j.Layout.BoundsPrefix(j.Pages)
	for o, err := range f.Work.List(ctx, prefix) {
		if err != nil {
			return "", err
		}
		name := strings.TrimPrefix(o.Key, prefix)
		if _, err := f.load(ctx, j, name); err == nil {
			return name, nil
		}
	}
	return "", nil
}

// maxBounds is more than the bounds of any job have, in bytes: they are keys of a sample.
const maxBounds = 1 << 30

// load reads bounds from the work store. It fails with errNotTheseBounds if name is not the hash of
// the content.
func (f *Finder) load(ctx context.Context, j Job, name string) (*Bounds, error) {
	data, err := objstore.ReadAll(ctx, f.Work, j.Layout.Bounds(j.Pages, name), maxBounds)
	if err != nil {
		return nil, fmt.Errorf("read the partition bounds: %w", err)
	}
	if nameOf(data) != name {
		return nil, fmt.Errorf("read the partition bounds: %w", errNotTheseBounds)
	}
	p, err := shuffle.ParseBounds(data)
	if err == nil && p.Partitions != j.Partitions {
		err = fmt.Errorf("they are for %d partitions, not %d", p.Partitions, j.Partitions)
	}
	if err != nil {
		return nil, fmt.Errorf("read the partition bounds: %w", err)
	}
	return &Bounds{Name: name, Partitioner: p}, nil
}

// nameOf returns the name of encoded bounds: a hash of them.
func nameOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}
