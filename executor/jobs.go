package executor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/executor/split"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// jobContext is what all attempts of one job share in an executor. None of it changes
// while the job runs, but for the committed maps: see mapOutputs.
type jobContext struct {
	id      state.JobID
	spec    state.Spec
	plan    state.Plan
	format  split.Format
	maps    int
	reduces int
	layout  state.Layout
	program program.Program
	folder  string // on local disk; holds the program's file

	loadOnce sync.Once
	loadErr  error

	users int // guarded by the cache's mutex
	used  int // guarded by the cache's mutex: when it was last put back, in turns

	pages     pageCache
	committed mapOutputs
}

// idleJobs is how many jobs that nobody works on are kept for when they are wanted again.
const idleJobs = 8

// jobCache holds the jobs that an executor works on.
type jobCache struct {
	executor *Executor
	folder   string

	mu   sync.Mutex
	jobs map[state.JobID]*jobContext // guarded by mu
	turn int                         // guarded by mu
}

func newJobCache(e *Executor, folder string) *jobCache {
	return &jobCache{executor: e, folder: folder, jobs: map[state.JobID]*jobContext{}}
}

// get returns a job, loaded; put must be called for it.
func (c *jobCache) get(ctx context.Context, id state.JobID) (*jobContext, error) {
	c.mu.Lock()
	job := c.jobs[id]
	if job == nil {
		job = &jobContext{id: id, folder: filepath.Join(c.folder, string(id))}
		c.jobs[id] = job
	}
	job.users++
	c.mu.Unlock()
	// The first attempt's context must not decide over the others' work.
	job.loadOnce.Do(func() { job.loadErr = job.load(context.WithoutCancel(ctx), c.executor) })
	if job.loadErr != nil {
		err := job.loadErr
		c.forget(job)
		return nil, err
	}
	return job, nil
}

// peek returns a job that is in use, or nil.
func (c *jobCache) peek(id state.JobID) *jobContext {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jobs[id]
}

// forget takes a job that could not be loaded out, so that the next attempt tries anew.
func (c *jobCache) forget(job *jobContext) {
	c.mu.Lock()
	defer c.mu.Unlock()
	job.users--
	if c.jobs[job.id] == job {
		delete(c.jobs, job.id)
	}
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
		delete(c.jobs, oldest.id)
		if err := os.RemoveAll(oldest.folder); err != nil {
			c.executor.cfg.Log.Warn("remove a job's folder", "job", oldest.id, "error", err)
		}
	}
}

func (job *jobContext) load(ctx context.Context, e *Executor) error {
	record, err := e.cfg.Store.Job(ctx, job.id)
	if err != nil {
		return err
	}
	if job.spec, err = state.ParseSpec(record.Spec); err != nil {
		return err
	}
	if job.plan, err = state.ParsePlan(record.Plan); err != nil {
		return err
	}
	if job.format, err = split.ParseFormat(job.spec.Format); err != nil {
		return err
	}
	job.maps, job.reduces = record.Map.Total, record.Reduce.Total
	job.layout = state.Layout{Prefix: e.workPrefix, Job: job.id, Spread: job.plan.Spread}
	file := ""
	if job.spec.Artifact != nil {
		if file, err = job.fetchArtifact(ctx, e.work); err != nil {
			return fmt.Errorf("fetch the program %s: %w", job.spec.Program, err)
		}
	}
	cfg := e.cfg.Program
	if program.Kind(job.spec.Kind) == program.Python {
		if cfg, err = e.python(ctx); err != nil {
			return err
		}
	}
	job.program, err = program.Open(cfg, program.Spec{
		Kind: program.Kind(job.spec.Kind), Name: job.spec.Program, Params: job.spec.Params, MapOnly: job.reduces == 0,
	}, file)
	return err
}

// fetchArtifact puts the program's file on local disk, verified.
func (job *jobContext) fetchArtifact(ctx context.Context, work objstore.Bucket) (path string, err error) {
	artifact := job.spec.Artifact
	if err := os.MkdirAll(job.folder, 0o700); err != nil {
		return "", err
	}
	path = filepath.Join(job.folder, filepath.Base(job.spec.Program))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o500)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r, err := work.Get(ctx, artifact.Key, 0, -1)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), r)
	if err != nil {
		return "", err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != artifact.SHA256 {
		return "", fmt.Errorf("%w: %d bytes with sha256 %s came, %d with %s were sent", shuffle.ErrCorrupt, n, got, artifact.Size, artifact.SHA256)
	}
	return path, nil
}

// cachedPages is how many pages of its plan an executor keeps per job.
const cachedPages = 4

// pageCache keeps pages of a job's plan; neighbouring tasks are on one page.
type pageCache struct {
	mu    sync.Mutex
	pages map[int][]split.Task // guarded by mu
	order []int                // guarded by mu: oldest first
}

// task returns the splits of a map task.
func (job *jobContext) task(ctx context.Context, work objstore.Bucket, index int) (split.Task, error) {
	c := &job.pages
	c.mu.Lock()
	defer c.mu.Unlock()
	n := index / job.plan.PageSize
	page, ok := c.pages[n]
	if !ok {
		data, err := objstore.ReadAll(ctx, work, job.layout.PlanPage(job.plan.Pages, n))
		if err != nil {
			return nil, fmt.Errorf("read the plan: %w", err)
		}
		if page, err = split.DecodePage(data); err != nil {
			return nil, err
		}
		if c.pages == nil {
			c.pages = map[int][]split.Task{}
		}
		if c.order = append(c.order, n); len(c.order) > cachedPages {
			delete(c.pages, c.order[0])
			c.order = c.order[1:]
		}
		c.pages[n] = page
	}
	at := index % job.plan.PageSize
	if at >= len(page) {
		return nil, fmt.Errorf("read the plan: page %d has %d tasks, task %d is wanted", n, len(page), at)
	}
	return page[at], nil
}
