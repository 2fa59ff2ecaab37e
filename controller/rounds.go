package controller

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// A controller makes rounds: every Interval, and when it is called, it starts work on every job
// that has not ended. Each job has its own goroutine and no round waits for one, so a job whose
// store, inputs or webhook are slow delays no other job. Nor does a round wait for chores.

// note is what a controller remembers of a job between rounds. Losing it only costs work.
type note struct {
	busy      bool      // a goroutine works on the job
	again     bool      // the goroutine must look at the job once more when it is done
	failures  int       // failures in a row
	rest      time.Time // the job is left alone until then, because of the failures
	keptUntil time.Time // the job is kept for a retry until then, and there is nothing to do
	trouble   trouble
}

// trouble is that the store does not do what a stage's work needs.
type trouble struct {
	stage state.Stage
	since time.Time
}

const (
	firstRest = time.Second // after the first failure; doubles
	mostRest  = 8 * time.Second
)

// Run works on jobs until ctx ends, and then returns nil. It logs errors of Redis and the store,
// and tries again.
func (c *Controller) Run(ctx context.Context) error {
	defer c.leaveReports(ctx)
	defer c.working.Wait()
	chores := []*chore{
		{what: "hold the lock of the cluster's metrics", every: reportInterval, do: c.holdReports},
		{what: "clean up after jobs that are over", every: janitorInterval, do: func(ctx context.Context) error {
			return errors.Join(c.tidy(ctx), c.freeOutputs(ctx))
		}},
	}
	if c.cfg.Durable {
		chores = append(chores, &chore{what: "make room in Redis", every: relieveInterval, do: c.relieve})
		chores = append(chores, &chore{what: "remove what belongs to no job", do: c.collect, every: orphanInterval, last: time.Now()})
	}
	restored := time.Now()
	for ctx.Err() == nil {
		if c.cfg.Durable && time.Since(restored) > reconcileInterval {
			restored = time.Now()
			if err := c.restore(ctx); err != nil && ctx.Err() == nil {
				c.cfg.Log.Error("searching for lost jobs failed", "error", err)
			}
		}
		if err := c.round(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Log.Error("round failed", "error", err)
		}
		for _, chore := range chores {
			c.start(ctx, chore)
		}
		if err := c.cfg.Store.WaitControl(ctx, c.cfg.Interval); err != nil && ctx.Err() == nil {
			c.cfg.Log.Error("waiting for calls failed", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(c.cfg.Interval):
			}
		}
	}
	return nil
}

// chore is what a controller does at intervals, beside the work on jobs.
type chore struct {
	what  string
	do    func(context.Context) error
	every time.Duration
	last  time.Time
	busy  atomic.Bool
}

// start starts a chore if it is due and not running.
func (c *Controller) start(ctx context.Context, chore *chore) {
	if time.Since(chore.last) <= chore.every || !chore.busy.CompareAndSwap(false, true) {
		return
	}
	chore.last = time.Now()
	c.working.Go(func() {
		defer chore.busy.Store(false)
		if err := chore.do(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Log.Error("chore failed", "chore", chore.what, "error", err)
		}
	})
}

// round starts work on every job that has not ended, and does not wait for it.
func (c *Controller) round(ctx context.Context) error {
	if err := c.ensureRestored(ctx); err != nil {
		return err
	}
	jobs, err := c.cfg.Store.Active(ctx)
	if err != nil {
		return err
	}
	c.forgetOthers(jobs)
	for _, id := range jobs {
		if c.beginWork(id) {
			c.working.Go(func() { c.workOn(ctx, id) })
		}
	}
	return nil
}

// workOn advances a job, and again if a round has asked for that meanwhile.
func (c *Controller) workOn(ctx context.Context, id job.ID) {
	for {
		err := c.advance(ctx, id)
		if errors.Is(err, errOutputBusy) {
			err = nil // the job waits for its turn
		}
		if err != nil && ctx.Err() == nil {
			c.metrics.failures.Inc()
			c.cfg.Log.Error("job step failed", "job", id, "error", err)
		}
		if !c.endWork(id, err) || ctx.Err() != nil {
			return
		}
	}
}

// beginWork reports whether the caller must work on a job: no goroutine does, and the job does not
// rest.
func (c *Controller) beginWork(id job.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.note(id)
	if n.busy {
		n.again = true
		return false
	}
	n.busy = time.Now().After(n.rest)
	return n.busy
}

// endWork notes the result of the work on a job. It reports whether the caller must do it once
// more.
func (c *Controller) endWork(id job.ID, err error) (again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.note(id)
	if err == nil {
		n.failures = 0
		again, n.again = n.again, false
		n.busy = again
		return again
	}
	n.rest = time.Now().Add(min(mostRest, firstRest<<min(n.failures, 10)))
	n.failures++
	n.busy, n.again = false, false
	return false
}

// note returns the note of a job. The caller holds mu.
func (c *Controller) note(id job.ID) *note {
	n := c.notes[id]
	if n == nil {
		n = &note{}
		c.notes[id] = n
	}
	return n
}

// rests reports whether a job is known to be kept for a retry: there is nothing to do yet.
func (c *Controller) rests(id job.ID, phase job.Phase) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.note(id)
	if phase == job.PhaseKept && time.Now().Before(n.keptUntil) {
		return true
	}
	n.keptUntil = time.Time{}
	return false
}

// noteKept notes until when a job is kept for a retry, if it is.
func (c *Controller) noteKept(j state.Job) {
	if j.Phase != job.PhaseKept {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(j.ID).keptUntil = j.KeptUntil
}

// forgetOthers drops the notes of all jobs except these.
func (c *Controller) forgetOthers(active []job.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, n := range c.notes {
		if !n.busy && !slices.Contains(active, id) {
			delete(c.notes, id)
		}
	}
}
