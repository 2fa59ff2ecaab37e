package executor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/sampling"
	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/state"
)

// jobContext is what all attempts of one job share in an executor. Once it is loaded, it changes
// only as the job runs: the executor learns its bounds, pages of its plan, and the committed map
// tasks.
type jobContext struct {
	jobKey
	restored bool // Redis had lost it: its segment files may be on the store
	spec     job.Spec
	plan     layout.Plan
	format   input.Format
	maps     int
	reduces  int
	layout   layout.Layout
	kind     *program.Kind
	program  program.Program
	folder   string // on local disk; contains the program's file

	loading sharedCall
	loaded  atomic.Bool

	users int // guarded by the cache's mutex: the attempts that use the job

	bounds        atomic.Pointer[sampling.Bounds] // of a job of total order, once they are known
	findingBounds sharedCall
	pages         pageCache
	heads         *input.Heads // of its inputs
	committed     segmentFiles
}

// jobKey names a job as it was submitted or restored: a job that Redis has lost comes back with the
// same id, but perhaps with another plan and other segment files.
type jobKey struct {
	id   job.ID
	born int64
}

// foreign reports whether the program runs in separate processes.
func (j *jobContext) foreign() bool { return !j.kind.InProcess }

// maySkip reports whether records on which the program fails may be skipped.
func (j *jobContext) maySkip() bool { return j.spec.SkipBadRecords > 0 && j.foreign() }

// idleJobs is how many jobs without attempts are kept, since an attempt may come.
const idleJobs = 8

// jobCache contains the jobs that an executor works on.
type jobCache struct {
	executor *Executor
	folder   string

	mu     sync.Mutex
	active map[jobKey]*jobContext      // guarded by mu: jobs that attempts have
	idle   recent[jobKey, *jobContext] // guarded by mu: other jobs
}

func newJobCache(e *Executor, folder string) *jobCache {
	return &jobCache{
		executor: e, folder: folder,
		active: map[jobKey]*jobContext{}, idle: recent[jobKey, *jobContext]{limit: idleJobs},
	}
}

// get returns an attempt's job, loaded. The caller gives it back by put.
func (c *jobCache) get(ctx context.Context, a *attempt) (*jobContext, error) {
	j := c.acquire(jobKey{a.Attempt.Job, a.Born})
	if err := j.ensureLoaded(ctx, c.executor, a); err != nil {
		c.put(j) // the next attempt tries again to load it
		return nil, err
	}
	return j, nil
}

// acquire returns a job, which may not be loaded yet.
func (c *jobCache) acquire(key jobKey) *jobContext {
	c.mu.Lock()
	defer c.mu.Unlock()
	j := c.active[key]
	if j == nil {
		var idle bool
		if j, idle = c.idle.take(key); !idle {
			folder := filepath.Join(c.folder, fmt.Sprintf("%s-%d", key.id, key.born))
			j = &jobContext{
				jobKey: key, folder: folder, heads: input.NewHeads(c.executor.share),
				pages: pageCache{pages: recent[int, []input.Task]{limit: cachedPages}},
			}
		}
		c.active[key] = j
	}
	j.users++
	return j
}

// put gives a job back. If too many jobs are idle, the one that has been idle for the longest time
// is dropped.
func (c *jobCache) put(j *jobContext) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if j.users--; j.users > 0 {
		return
	}
	delete(c.active, j.jobKey)
	if oldest, dropped := c.idle.add(j.jobKey, j); dropped {
		if err := os.RemoveAll(oldest.folder); err != nil {
			c.executor.cfg.Log.Warn("removing a job's folder failed", "job", oldest.id, "error", err)
		}
	}
}

// peek returns a job if it is loaded, or else nil.
func (c *jobCache) peek(id job.ID, born int64) *jobContext {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := jobKey{id, born}
	j := c.active[key]
	if j == nil {
		j, _ = c.idle.get(key)
	}
	if j == nil || !j.loaded.Load() {
		return nil
	}
	return j
}

// ensureLoaded loads the job, unless it is loaded already.
func (j *jobContext) ensureLoaded(ctx context.Context, e *Executor, a *attempt) error {
	if j.loaded.Load() {
		return nil
	}
	return j.loading.join(ctx, e, a, func(ctx context.Context, progressed func()) error {
		if j.loaded.Load() {
			return nil
		}
		err := j.load(ctx, e, progressed)
		j.loaded.Store(err == nil)
		return err
	})
}

// load reads what the attempts of the job need, and fetches its program.
func (j *jobContext) load(ctx context.Context, e *Executor, progressed func()) error {
	record, err := e.cfg.Store.Job(ctx, j.id)
	if err != nil {
		return err
	}
	if record.Born != j.born {
		return fmt.Errorf("load job %s: %w", j.id, state.ErrStale)
	}
	j.restored = record.Restored
	if j.spec, err = jobfile.Parse(record.Spec); err != nil {
		return &configError{err}
	}
	if j.kind, err = e.cfg.Kinds.Find(j.spec.Kind); err != nil {
		return &configError{err}
	}
	if j.plan, err = layout.ParsePlan(record.Plan); err != nil {
		return &configError{err}
	}
	if j.format, err = formats.Inputs.Parse(j.spec.Format, j.spec.Compression); err != nil {
		return &configError{err}
	}
	j.maps, j.reduces = record.Map.Total, record.Reduce.Total
	j.layout = layout.Layout{Prefix: e.workPrefix, Job: j.id, Spread: j.plan.Spread}
	file := ""
	if j.spec.Artifact != nil {
		folder := j.folder
		if j.kind.Imports != nil {
			folder = j.filesFolder() // the program imports the files beside it
		}
		file = filepath.Join(folder, filepath.Base(j.spec.Program))
		if err := fetchArtifact(ctx, e.work, j.spec.Artifact, file, progressed); err != nil {
			return fmt.Errorf("fetch the program %s: %w", j.spec.Program, err)
		}
	}
	files, err := j.fetchFiles(ctx, e.work, progressed)
	if err != nil {
		return err
	}
	cfg, err := e.programConfig(ctx, j.kind)
	if err != nil {
		return err
	}
	spec := program.SpecOf(&j.spec)
	spec.MapOnly, spec.Files = j.reduces == 0, files
	j.program, err = j.kind.Open(cfg, spec, file)
	var local *fs.PathError // its file on our disk
	if err != nil && !errors.As(err, &local) {
		return &configError{err}
	}
	return err
}
