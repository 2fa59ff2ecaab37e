package executor

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
)

// segmentFiles is the cache of a job's committed map attempts. They are read once for all reduce
// tasks of this executor, until a map task is done again and the epoch changes.
type segmentFiles struct {
	reading sharedCall

	mu    sync.Mutex
	epoch int               // guarded by mu
	table *segmentFileTable // guarded by mu
}

// segmentFileTable has the segment file of every map task. It does not change.
type segmentFileTable struct {
	files     []segmentFile // by map index
	manifests manifestStore
}

type segmentFile struct {
	attempt job.AttemptID // the committed attempt
	writer  job.AttemptID // the attempt that wrote the segment file; see adopt
	index   segfile.ManifestIndex
	at      int64 // the place of the manifest in the store
}

// forEpoch returns the segment files of an epoch; nil if the cache has those of another.
func (c *segmentFiles) forEpoch(epoch int) *segmentFileTable {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch != epoch {
		return nil
	}
	return c.table
}

func (c *segmentFiles) set(epoch int, table *segmentFileTable) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch, c.table = epoch, table
}

// segmentFiles returns the segment files of all map tasks, for an attempt at a reduce task.
func (e *Executor) segmentFiles(ctx context.Context, a *attempt, j *jobContext) (*segmentFileTable, error) {
	c, epoch := &j.committed, a.Epoch
	for {
		if table := c.forEpoch(epoch); table != nil {
			return table, nil
		}
		// If the call under way is for another epoch, the loop comes here again.
		if err := c.reading.join(ctx, e, a, func(ctx context.Context, progressed func()) error {
			table, err := e.readMapOutputs(ctx, j, progressed)
			if err == nil {
				c.set(epoch, table)
			}
			return err
		}); err != nil {
			return nil, err
		}
	}
}

func (e *Executor) readMapOutputs(ctx context.Context, j *jobContext, progressed func()) (*segmentFileTable, error) {
	table := &segmentFileTable{
		files:     make([]segmentFile, j.maps),
		manifests: manifestStore{folder: e.cfg.Scratch, limit: e.slotMemory() / manifestShare},
	}
	// Manifests that are objects are read side by side.
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(manifestReads)
	missing := j.maps
	var scan error
	for committed, err := range e.cfg.Store.Committed(ctx, j.id, job.Map) {
		if gctx.Err() != nil {
			break // g.Wait returns the reason
		}
		if err != nil {
			scan = err
			break
		}
		index := committed.Attempt.Task.Index
		if index >= j.maps {
			scan = fmt.Errorf("map task %d is committed, but job %s has %d map tasks", index, j.id, j.maps)
			break
		}
		o := &table.files[index]
		if o.attempt == committed.Attempt {
			continue
		}
		if o.attempt != (job.AttemptID{}) {
			// The task was committed again during the scan, which may see either epoch.
			scan = fmt.Errorf("%s of %s: %w", committed.Attempt.Task, j.id, errMapsGone)
			break
		}
		o.attempt = committed.Attempt
		missing--
		g.Go(func() error {
			err := e.readManifest(gctx, j, &table.manifests, o, committed.Manifest)
			if err == nil {
				progressed()
			}
			return err
		})
	}
	if err := errors.Join(g.Wait(), scan); err != nil {
		return nil, err
	}
	if missing > 0 {
		return nil, fmt.Errorf("%d of %d segment files of %s: %w", missing, j.maps, j.id, errMapsGone)
	}
	return table, nil
}

// readManifest verifies the committed manifest of an output, and stores it.
func (e *Executor) readManifest(ctx context.Context, j *jobContext, store *manifestStore, o *segmentFile, committed []byte) error {
	manifest, err := objstore.Resolve(ctx, e.work, committed)
	if err != nil {
		return e.blame(ctx, o.attempt, j.layout.Manifest(o.attempt), err, func() error {
			_, err := objstore.Resolve(ctx, e.work, committed)
			return err
		})
	}
	if o.writer, manifest, err = parseAdopted(o.attempt, manifest); err != nil {
		return &segmentError{attempt: o.attempt, err: err}
	}
	if o.index, err = segfile.IndexManifest(manifest); err != nil {
		return &segmentError{attempt: o.attempt, err: err}
	}
	if n := o.index.Partitions(); n != j.reduces {
		return &segmentError{attempt: o.attempt, err: fmt.Errorf("%d segments for %d partitions", n, j.reduces)}
	}
	o.at, err = store.add(manifest)
	return err
}

// segment returns the segment of a partition in a map task's output.
func (t *segmentFileTable) segment(o *segmentFile, partition int) (segfile.Segment, error) {
	from, to := o.index.Range(partition)
	encoded, err := t.manifests.read(o.at+int64(from), to-from)
	if err != nil {
		return segfile.Segment{}, err
	}
	s, err := o.index.Segment(encoded, partition)
	if err != nil { // it was intact when it was stored
		return s, fmt.Errorf("stored manifest of %s: %w", o.attempt, err)
	}
	return s, nil
}
