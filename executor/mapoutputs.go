package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// mapOutputs are the committed map attempts of a job, read once for all reduce tasks that an
// executor does, until a map is done anew and the epoch changes.
type mapOutputs struct {
	mu      sync.Mutex
	epoch   int         // guarded by mu
	outputs []mapOutput // guarded by mu; by map index; never changed in place
}

type mapOutput struct {
	attempt  state.AttemptID
	manifest []byte // encoded: decoded, the manifests of a large job would take ten times the room
}

// mapOutputs returns the outputs of all map tasks.
func (e *Executor) mapOutputs(ctx context.Context, job *jobContext, epoch int) ([]mapOutput, error) {
	c := &job.committed
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outputs != nil && c.epoch == epoch {
		return c.outputs, nil
	}
	outputs := make([]mapOutput, job.maps)
	missing := job.maps
	for committed, err := range e.cfg.Store.Committed(ctx, job.id, state.Map) {
		if err != nil {
			return nil, err
		}
		index := committed.Attempt.Task.Index
		if index >= job.maps {
			return nil, fmt.Errorf("map task %d is committed, but %s has %d", index, job.id, job.maps)
		}
		if outputs[index].manifest == nil {
			missing--
		}
		manifest, err := objstore.Resolve(ctx, e.work, committed.Manifest)
		if err != nil {
			return nil, &segmentError{attempt: committed.Attempt, err: err}
		}
		outputs[index] = mapOutput{attempt: committed.Attempt, manifest: manifest}
	}
	if missing > 0 {
		return nil, fmt.Errorf("%d of %d map outputs of %s are not committed (any more)", missing, job.maps, job.id)
	}
	c.outputs, c.epoch = outputs, epoch
	return outputs, nil
}

// sources are the runs that make up a partition: one of each map task, but for empty ones.
func (e *Executor) sources(ctx context.Context, job *jobContext, epoch, partition int) ([]shuffle.Source, []state.AttemptID, error) {
	outputs, err := e.mapOutputs(ctx, job, epoch)
	if err != nil {
		return nil, nil, err
	}
	var (
		sources  []shuffle.Source
		attempts []state.AttemptID
	)
	for _, o := range outputs {
		manifest, err := shuffle.ParseManifest(o.manifest)
		if err != nil {
			return nil, nil, &segmentError{attempt: o.attempt, err: err}
		}
		if len(manifest.Segments) != job.reduces {
			return nil, nil, &segmentError{attempt: o.attempt, err: fmt.Errorf("it has %d segments for %d partitions", len(manifest.Segments), job.reduces)}
		}
		if manifest.Segments[partition].Length == 0 {
			continue
		}
		key := job.layout.Segment(o.attempt)
		attempts = append(attempts, o.attempt)
		sources = append(sources, shuffle.Source{
			Name:      e.work.URL() + "/" + key,
			Identity:  identity(o.attempt),
			Partition: partition,
			Segment:   manifest.Segments[partition],
			Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
				body, err := e.work.Get(ctx, key, offset, length)
				if errors.Is(err, objstore.ErrNotFound) || errors.Is(err, objstore.ErrRange) {
					err = &segmentError{attempt: o.attempt, err: err}
				}
				return body, err
			},
		})
	}
	return sources, attempts, nil
}

// identity is what a map attempt's segments are marked with.
func identity(a state.AttemptID) shuffle.Identity {
	return shuffle.Identity{Job: string(a.Job), Task: a.Task.Index, Attempt: a.Number}
}
