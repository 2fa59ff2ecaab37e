package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/state/embedded"
)

// cluster is a controller and executors in this process, for one job.
type cluster struct {
	id      job.ID
	store   *state.Store
	stores  *connect.Stores
	work    string // URL
	log     *slog.Logger
	scratch *process.Scratch

	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	errs   []error // guarded by mu: of the parts that have ended
	closer []func() error
}

// In one process leases only tell attempts that they are cancelled: no executor can die alone.
const (
	localLease     = 30 * time.Second
	localHeartbeat = 250 * time.Millisecond
)

// localStoreTimeout is how long planning and clean-up retry if the store does not answer, in
// addition to the drivers' retries: a person waits.
const localStoreTimeout = 5 * time.Second

// startCluster starts everything that the job needs. The cluster does not end with ctx: a cancelled
// job must be cleaned up.
func (f *runFlags) startCluster(ctx context.Context, spec job.Spec, programs program.Config, log *slog.Logger, ui *ui) (c *cluster, err error) {
	c = &cluster{id: job.NewID(), log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop(ctx))
		}
	}()
	f.store.parts.Most = executor.MostPart(int64(f.memory) / int64(f.executors))
	if c.stores, err = f.store.open(); err != nil {
		return c, err
	}
	if c.scratch, err = makeScratch(f.scratch, log); err != nil {
		return c, err
	}
	if err := c.connect(ctx, f.redis); err != nil {
		return c, err
	}
	if c.work, err = f.workURL(spec, c.scratch.Folder); err != nil {
		return c, err
	}
	limits := state.Limits{Infra: 4, Backoff: 200 * time.Millisecond, Shun: -1} // all executors are on one machine
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	ctrl, err := controller.New(ctx, controller.Config{
		ID: "local", Store: c.store, Open: c.stores.Open, Work: c.work, Limits: limits, Log: log, Slots: f.executors,
		PlanTimeout: localStoreTimeout, CleanupTimeout: localStoreTimeout, Abandoned: ui.abandoned, Kinds: kinds.All().Jobs(),
		NoBackups: true, // on one machine no executor is slower than another
	})
	if err != nil {
		return c, err
	}
	c.start(func() error { return ctrl.Run(running) })
	for i := range f.executors {
		e, err := executor.New(ctx, executor.Config{
			ID: job.ExecutorID("local-" + strconv.Itoa(i)), Store: c.store, Open: c.stores.Open,
			Work: c.work, Log: log, Slots: 1, Memory: int64(f.memory) / int64(f.executors),
			Scratch: filepath.Join(c.scratch.Folder, "executor-"+strconv.Itoa(i)),
			Lease:   localLease, Heartbeat: localHeartbeat, Limits: limits,
			Program: programs, ProgramMemory: cmp.Or(int64(f.programMemory), programMemory(f.executors)), ProgramLog: ui.programLog, NoBreaker: true,
		})
		if err != nil {
			return c, err
		}
		c.start(func() error { return e.Run(running) })
	}
	return c, nil
}

// connect opens the state. In a shared Redis it uses a namespace for this job, so that other
// executors don't run its tasks.
func (c *cluster) connect(ctx context.Context, url string) error {
	namespace, own := state.DefaultNamespace, url == ""
	if own {
		redis, err := embedded.Start()
		if err != nil {
			return err
		}
		c.closer = append(c.closer, func() error { redis.Close(); return nil })
		url = redis.URL()
	} else {
		namespace += ":run:" + string(c.id)
	}
	store, err := state.Connect(ctx, url, namespace)
	if err != nil {
		return err
	}
	c.store = store
	c.closer = append(c.closer, store.Close)
	if own {
		return nil
	}
	if err := store.CheckServer(ctx, c.log); err != nil {
		return fmt.Errorf("redis at %s: %w", state.RedactURL(url), err)
	}
	return nil
}

// workURL returns the URL of the work area, for the plan and the intermediates.
func (f *runFlags) workURL(spec job.Spec, scratch string) (string, error) {
	location := f.work
	if location == "" {
		out, err := objstore.ParseURL(spec.Output)
		if err != nil {
			return "", err
		}
		if out.Scheme == "s3" {
			return out.BucketURL() + "/.bucketmill", nil
		}
		location = filepath.Join(scratch, "work")
		if spec.KeepIntermediates {
			location = strings.TrimSuffix("/"+out.Key, "/") + ".intermediates"
		}
	}
	u, err := objstore.ParseURL(location)
	if err != nil {
		return "", usageError{fmt.Errorf("--work: %w", err)}
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

// start runs a part of the cluster in a goroutine, and keeps its error.
func (c *cluster) start(part func() error) {
	c.wg.Go(func() {
		if err := part(); err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.errs = append(c.errs, err)
		}
	})
}

// runJob submits the job and waits for its end.
func (c *cluster) runJob(ctx context.Context, spec job.Spec, programPath string, ui *ui) (state.Job, error) {
	if programPath != "" {
		artifact, err := c.upload(ctx, programPath, filepath.Base(programPath))
		if err != nil {
			return state.Job{}, fmt.Errorf("upload the program: %w", err)
		}
		spec.Artifact, spec.Program = artifact, filepath.Base(programPath)
	}
	files, err := c.uploadFiles(ctx, spec.ProgramFiles)
	if err != nil {
		return state.Job{}, err
	}
	spec.ProgramFiles = files
	if _, err := controller.Submit(ctx, c.store, c.id, spec); err != nil {
		return state.Job{}, err
	}
	return waitJob(ctx, c.store, c.id, ui)
}

// uploadFiles uploads the files of a program to the work store.
func (c *cluster) uploadFiles(ctx context.Context, files []job.ProgramFile) ([]job.ProgramFile, error) {
	sent := make([]job.ProgramFile, 0, len(files))
	for i, f := range files {
		artifact, err := c.upload(ctx, f.Source, fmt.Sprintf("files/%d", i))
		if err != nil {
			return nil, fmt.Errorf("upload the program file %s: %w", f.Name, err)
		}
		sent = append(sent, job.ProgramFile{Name: f.Name, Artifact: artifact})
	}
	return sent, nil
}

// upload uploads a file of a program to the work store, among the job's objects.
func (c *cluster) upload(ctx context.Context, file, name string) (*job.Artifact, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	b, prefix, err := c.stores.Open(ctx, c.work)
	if err != nil {
		return nil, err
	}
	layout := layout.Layout{Prefix: strings.Trim(prefix, "/"), Job: c.id, Spread: 1}
	key := layout.Program(name)
	if _, err := b.Put(ctx, key, data); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return &job.Artifact{Key: key, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data))}, nil
}

// stop ends all parts, and removes the job's state and local files.
func (c *cluster) stop(ctx context.Context) error {
	if c.cancel != nil {
		c.cancel()
	}
	c.wg.Wait()
	errs := c.errs
	if c.store != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		errs = append(errs, c.store.Drop(ctx, c.id))
	}
	for i := len(c.closer) - 1; i >= 0; i-- {
		errs = append(errs, c.closer[i]())
	}
	if c.scratch != nil {
		errs = append(errs, c.scratch.Remove())
	}
	return errors.Join(errs...)
}
