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

// jobContext is what all attempts of one job share in an executor. Once it is loaded, only what is
// learnt as the job runs changes: its bounds, pages of its plan, and the committed maps.
type jobContext struct {
	jobKey
	restored bool // Redis had lost it: map outputs may lie on the store
	spec     job.Spec
	plan     layout.Plan
	format   input.Format
	maps     int
	reduces  int
	layout   layout.Layout
	program  program.Program
	folder   string // on local disk; holds the program's file

	loading sharedCall
	loaded  atomic.Bool

	users int // guarded by the cache's mutex
	used  int // guarded by the cache's mutex: when it was last put back, in turns

	bounds        atomic.Pointer[sampling.Bounds] // of a job of total order, once they are known
	findingBounds sharedCall
	pages         pageCache
	heads         *input.Heads // of its inputs
	committed     mapOutputs
}

// jobKey names a job as it was submitted, or restored: a job that Redis has lost comes back with
// the same id, but perhaps with another plan and other map outputs.
type jobKey struct {
	id   job.ID
	born int64
}

// foreign tells whether the program runs in processes of its own.
func (job *jobContext) foreign() bool { return program.Kind(job.spec.Kind) != program.Builtin }

// maySkip tells whether records on which the program fails may be set aside.
func (job *jobContext) maySkip() bool { return job.spec.SkipBadRecords > 0 && job.foreign() }

// idleJobs is how many jobs that nobody works on are kept for when they are wanted again.
const idleJobs = 8

// jobCache holds the jobs that an executor works on.
type jobCache struct {
	executor *Executor
	folder   string

	mu   sync.Mutex
	jobs map[jobKey]*jobContext // guarded by mu
	turn int                    // guarded by mu
}

func newJobCache(e *Executor, folder string) *jobCache {
	return &jobCache{executor: e, folder: folder, jobs: map[jobKey]*jobContext{}}
}

// get returns an attempt's job, loaded; put must be called for it.
func (c *jobCache) get(ctx context.Context, a *attempt) (*jobContext, error) {
	c.mu.Lock()
	key := jobKey{a.Attempt.Job, a.Born}
	job := c.jobs[key]
	if job == nil {
		job = &jobContext{
			jobKey: key, folder: filepath.Join(c.folder, fmt.Sprintf("%s-%d", key.id, key.born)), heads: input.NewHeads(c.executor.share),
		}
		c.jobs[key] = job
	}
	job.users++
	c.mu.Unlock()
	if err := job.ensureLoaded(ctx, c.executor, a); err != nil {
		c.put(job) // the next attempt loads it, if it must
		return nil, err
	}
	return job, nil
}

// ensureLoaded loads the job unless that is done already.
func (job *jobContext) ensureLoaded(ctx context.Context, e *Executor, a *attempt) error {
	if job.loaded.Load() {
		return nil
	}
	return job.loading.join(ctx, e, a, func(ctx context.Context, moved func()) error {
		if job.loaded.Load() {
			return nil
		}
		err := job.load(ctx, e, moved)
		job.loaded.Store(err == nil)
		return err
	})
}

// peek returns a job that is loaded, or nil.
func (c *jobCache) peek(id job.ID, born int64) *jobContext {
	c.mu.Lock()
	defer c.mu.Unlock()
	if job := c.jobs[jobKey{id, born}]; job != nil && job.loaded.Load() {
		return job
	}
	return nil
}

// put gives a job back. Too many idle ones make the oldest go.
func (c *jobCache) put(job *jobContext) {
	c.mu.Lock()
	defer c.mu.Unlock()
	job.users--
	c.turn++
	job.used = c.turn
	idle := 0
	var oldest *jobContext
	for _, j := range c.jobs {
		if j.users == 0 {
			idle++
			if oldest == nil || j.used < oldest.used {
				oldest = j
			}
		}
	}
	if idle > idleJobs {
		delete(c.jobs, oldest.jobKey)
		if err := os.RemoveAll(oldest.folder); err != nil {
			c.executor.cfg.Log.Warn("remove a job's folder", "job", oldest.id, "error", err)
		}
	}
}

func (job *jobContext) load(ctx context.Context, e *Executor, moved func()) error {
	record, err := e.cfg.Store.Job(ctx, job.id)
	if err != nil {
		return err
	}
	if record.Born != job.born {
		return fmt.Errorf("load job %s: %w", job.id, state.ErrStale)
	}
	job.restored = record.Restored
	if job.spec, err = jobfile.Parse(record.Spec); err != nil {
		return &configError{err}
	}
	if job.plan, err = layout.ParsePlan(record.Plan); err != nil {
		return &configError{err}
	}
	if job.format, err = formats.Inputs.Parse(job.spec.Format, job.spec.Compression); err != nil {
		return &configError{err}
	}
	job.maps, job.reduces = record.Map.Total, record.Reduce.Total
	job.layout = layout.Layout{Prefix: e.workPrefix, Job: job.id, Spread: job.plan.Spread}
	file := ""
	if job.spec.Artifact != nil {
		folder := job.folder
		if program.Kind(job.spec.Kind) == program.Python {
			folder = job.filesFolder() // it imports what is beside it
		}
		file = filepath.Join(folder, filepath.Base(job.spec.Program))
		if err := fetchArtifact(ctx, e.work, job.spec.Artifact, file, moved); err != nil {
			return fmt.Errorf("fetch the program %s: %w", job.spec.Program, err)
		}
	}
	files, err := job.fetchFiles(ctx, e.work, moved)
	if err != nil {
		return err
	}
	cfg := e.cfg.Program
	if program.Kind(job.spec.Kind) == program.Python {
		if cfg, err = e.python(ctx); err != nil {
			return err
		}
	}
	job.program, err = program.Open(cfg, program.Spec{
		Kind: program.Kind(job.spec.Kind), Name: job.spec.Program, Params: job.spec.Params, MapOnly: job.reduces == 0,
		Commands: program.Commands{Mapper: job.spec.Mapper, Combiner: job.spec.Combiner, Reducer: job.spec.Reducer}, Files: files,
	}, file)
	var local *fs.PathError // its file on our disk
	if err != nil && !errors.As(err, &local) {
		return &configError{err}
	}
	return err
}
