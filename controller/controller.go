// Package controller moves jobs along: it plans them, reassigns the tasks of executors that stopped
// answering, publishes their output, and cleans up after them.
//
// A controller is stateless. Whatever it does for a job it reads from Redis and the store, does
// idempotently, and ends with one fenced transition (package state). Any number of controllers may
// run; one that is killed, or paused and back, does no harm.
//
// A [Controller] makes rounds (rounds.go) and works on each job in a goroutine of its own. The work
// on a job in one phase is a step (step.go): plan (plan.go), publish (publish.go) or clean up
// (cleanup.go). Before anything that can't be undone a step asks Redis whether the job is still in
// the stage that the step was made for.
package controller

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
)

// Controller works on jobs until its context ends.
type Controller struct {
	cfg        Config
	work       objstore.Bucket
	workPrefix string
	metrics    *metrics

	working sync.WaitGroup      // the goroutines of jobs and chores
	sweeps  *semaphore.Weighted // bounds sweeps
	steps   *semaphore.Weighted // bounds steps

	mu    sync.Mutex
	notes map[job.ID]*note // guarded by mu
	// reportsUntil is how long this controller is the one that reports on the cluster; guarded by
	// mu.
	reportsUntil time.Time
	// unreadable are the lost jobs with unreadable records that the log mentions; guarded by mu.
	unreadable map[job.ID]bool
}

const (
	// sweepsAtOnce is how many jobs one controller sweeps at a time.
	sweepsAtOnce = 16
	// stepsAtOnce is how many jobs it plans, publishes and cleans up at a time. Most wait for the
	// store; jobs whose stores don't answer must leave room for the others.
	stepsAtOnce = 256
)

// holdTTL is how long a controller holds a job without renewing the hold; see state.Store.HoldJob.
const holdTTL = 15 * time.Second

// New makes a controller. It makes no request.
func New(ctx context.Context, cfg Config) (*Controller, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configure the controller: %w", err)
	}
	work, prefix, err := cfg.Open(ctx, cfg.Work)
	if err != nil {
		return nil, fmt.Errorf("open work store: %w", err)
	}
	return &Controller{
		cfg: cfg, work: work, workPrefix: strings.Trim(prefix, "/"), metrics: newMetrics(cfg.Metrics), notes: map[job.ID]*note{}, unreadable: map[job.ID]bool{},
		sweeps: semaphore.NewWeighted(sweepsAtOnce), steps: semaphore.NewWeighted(stepsAtOnce),
	}, nil
}
