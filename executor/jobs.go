package executor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
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

	loading flight
	loaded  atomic.Bool

	users int // guarded by the cache's mutex
	used  int // guarded by the cache's mutex: when it was last put back, in turns

	bounds    atomic.Pointer[bounds] // of a job of total order, once they are known
	seeking   flight                 // them
	pages     pageCache
	heads     *input.Heads // of its inputs
	committed mapOutputs
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
	if job.format, err = input.ParseInput(job.spec.Format, job.spec.Compression); err != nil {
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

// filesFolder is where the files go that were sent along with the program.
func (job *jobContext) filesFolder() string { return filepath.Join(job.folder, "files") }

// fetchFiles puts the files that were sent along with the program into a folder of their own, and returns their
// paths by their names.
func (j *jobContext) fetchFiles(ctx context.Context, work objstore.Bucket, moved func()) (map[string]string, error) {
	files := map[string]string{}
	for _, f := range j.spec.ProgramFiles {
		if f.Artifact == nil {
			return nil, fmt.Errorf("the program file %s was not sent along with the job", f.Name)
		}
		if !job.ProgramFileName(f.Name) {
			return nil, fmt.Errorf("%w: job %s has a program file %q", state.ErrMalformed, j.id, f.Name)
		}
		path := filepath.Join(j.filesFolder(), filepath.FromSlash(f.Name))
		if err := fetchArtifact(ctx, work, f.Artifact, path, moved); err != nil {
			return nil, fmt.Errorf("fetch the program file %s: %w", f.Name, err)
		}
		files[f.Name] = path
	}
	return files, nil
}

// onWrite is a writer that only tells of what is written.
type onWrite func()

func (f onWrite) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}

// artifactReads is how often a file is read that is not what was sent along, before it counts as lost: bytes may
// be damaged on their way.
const artifactReads = 3

// fetchArtifact puts a file on local disk, verified. It calls moved as its bytes come.
func fetchArtifact(ctx context.Context, work objstore.Bucket, artifact *job.Artifact, path string, moved func()) (err error) {
	for range artifactReads {
		if err = fetchOnce(ctx, work, artifact, path, moved); !errors.Is(err, objstore.ErrCorrupt) {
			return objstore.Withheld(ctx, work, artifact.Key, err, func() error { return fetchOnce(ctx, work, artifact, path, moved) })
		}
	}
	return fmt.Errorf("%w (read %d times); submit the job again", err, artifactReads)
}

func fetchOnce(ctx context.Context, work objstore.Bucket, artifact *job.Artifact, path string, moved func()) (err error) {
	if err := program.PassableFolder(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil { // Python lists the folders that it imports from
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // what an earlier try has left can't be written to
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o500)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil { // programs that run as other users read it, too; nobody but us gets to its folder otherwise
			err = f.Chmod(0o555)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			// It may not be written to a second time, and takes room.
			err = errors.Join(err, os.Remove(path))
		}
	}()
	r, err := work.Get(ctx, artifact.Key, 0, -1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum, onWrite(moved)), r)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != artifact.SHA256 {
		return fmt.Errorf("%w: %d bytes with sha256 %s came, %d with %s were sent", objstore.ErrCorrupt, n, got, artifact.Size, artifact.SHA256)
	}
	return nil
}

// cachedPages is how many pages of its plan an executor keeps per job.
const cachedPages = 4

// pageCache keeps pages of a job's plan; neighbouring tasks are on one page.
type pageCache struct {
	reading flight

	mu    sync.Mutex
	pages map[int][]input.Task // guarded by mu
	order []int                // guarded by mu: oldest first
}

func (c *pageCache) page(n int) ([]input.Task, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	page, ok := c.pages[n]
	return page, ok
}

// add keeps a page, and drops the oldest if there are too many.
func (c *pageCache) add(n int, page []input.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pages == nil {
		c.pages = map[int][]input.Task{}
	}
	if c.order = append(c.order, n); len(c.order) > cachedPages {
		delete(c.pages, c.order[0])
		c.order = c.order[1:]
	}
	c.pages[n] = page
}

// task returns the splits of a map task.
func (job *jobContext) task(ctx context.Context, e *Executor, a *attempt, index int) (input.Task, error) {
	n, at := index/job.plan.PageSize, index%job.plan.PageSize
	for {
		page, ok := job.pages.page(n)
		if ok && at >= len(page) {
			return nil, fmt.Errorf("read the plan: page %d has %d tasks, task %d is wanted", n, len(page), at)
		}
		if ok {
			return page[at], nil
		}
		// Those that want another page come here again.
		if err := job.pages.reading.join(ctx, e, a, func(ctx context.Context, _ func()) error {
			return job.readPage(ctx, e.work, n)
		}); err != nil {
			return nil, err
		}
	}
}

func (job *jobContext) readPage(ctx context.Context, work objstore.Bucket, n int) error {
	if _, ok := job.pages.page(n); ok {
		return nil
	}
	key := job.layout.PlanPage(job.plan.Pages, n)
	data, err := objstore.ReadChecked(ctx, work, key)
	if err != nil {
		err = objstore.Withheld(ctx, work, key, err, func() error {
			_, err := objstore.ReadChecked(ctx, work, key)
			return err
		})
		return fmt.Errorf("read the plan: %w", err)
	}
	page, err := input.DecodePage(data)
	if err != nil {
		return err
	}
	job.pages.add(n, page)
	return nil
}
