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

// A controller goes its rounds: every Interval, and when it is called, it has every job looked after that has
// not ended. Each job is looked after in a goroutine of its own and no round waits for one, so a job whose
// store, inputs or webhook take their time holds up nobody else. Nor does a round wait for chores.

// note is what a controller remembers of a job from one look to the next. To lose it costs work only.
type note struct {
	busy      bool      // the job is looked after at this moment
	again     bool      // and is to be once more, right after that
	failures  int       // looks in a row that failed
	rest      time.Time // it is left alone till then, since they did
	keptUntil time.Time // it is kept till then, and nothing is to be done for it
	trouble   trouble
}

// trouble is that the store does not do what a stage's work needs.
type trouble struct {
	stage state.Stage
	since time.Time
}

const (
	firstRest = time.Second // after a look that failed; doubles
	mostRest  = 8 * time.Second
)

// Run looks after jobs until ctx ends, and then returns nil. Trouble with Redis or the store
// is logged and tried again.
func (c *Controller) Run(ctx context.Context) error {
	defer c.leaveReports(ctx)
	defer c.working.Wait()
	chores := []*chore{
		{what: "hold the lock of the cluster's metrics", every: reportInterval, do: c.holdReports},
		{what: "tidy up after jobs that are over", every: janitorInterval, do: func(ctx context.Context) error {
			return errors.Join(c.tidy(ctx), c.freeOutputs(ctx))
		}},
	}
	if c.cfg.Durable {
		chores = append(chores, &chore{what: "make room in Redis", every: relieveInterval, do: c.relieve})
		chores = append(chores, &chore{what: "look for what belongs to no job", do: c.collect, every: orphanInterval, last: time.Now()})
	}
	restored := time.Now()
	for ctx.Err() == nil {
		if c.cfg.Durable && time.Since(restored) > reconcileInterval {
			restored = time.Now()
			if err := c.restore(ctx); err != nil && ctx.Err() == nil {
				c.cfg.Log.Error("look for jobs that Redis does not know", "error", err)
			}
		}
		if err := c.round(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Log.Error("look after jobs", "error", err)
		}
		for _, chore := range chores {
			c.start(ctx, chore)
		}
		if err := c.cfg.Store.WaitControl(ctx, c.cfg.Interval); err != nil && ctx.Err() == nil {
			c.cfg.Log.Error("wait for calls", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(c.cfg.Interval):
			}
		}
	}
	return nil
}

// chore is something that a controller does now and then.
type chore struct {
	what  string
	do    func(context.Context) error
	every time.Duration
	last  time.Time
	busy  atomic.Bool
}

// start begins a chore if it is due and not under way.
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

// round has every job looked after that has not ended, and does not wait for that.
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
		if c.begin(id) {
			c.working.Go(func() { c.look(ctx, id) })
		}
	}
	return nil
}

// look looks after a job, and again if it was to be looked after meanwhile.
func (c *Controller) look(ctx context.Context, id job.ID) {
	for {
		err := c.lookAfter(ctx, id)
		if errors.Is(err, errOutputBusy) {
			err = nil // the job waits for its turn
		}
		if err != nil && ctx.Err() == nil {
			c.metrics.failures.Inc()
			c.cfg.Log.Error("look after job", "job", id, "error", err)
		}
		if !c.end(id, err) || ctx.Err() != nil {
			return
		}
	}
}

// begin tells whether a job is to be looked after by the caller: it is not looked after, and does not rest.
func (c *Controller) begin(id job.ID) bool {
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

// end notes that a look at a job has ended, and how. It tells whether the caller is to look once more.
func (c *Controller) end(id job.ID, err error) (again bool) {
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

// note returns what is remembered of a job. The caller holds mu.
func (c *Controller) note(id job.ID) *note {
	n := c.notes[id]
	if n == nil {
		n = &note{}
		c.notes[id] = n
	}
	return n
}

// rests tells whether a job is kept and was looked at before: nothing is to be done for it yet.
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

// keptFor notes until when a job is kept.
func (c *Controller) keptFor(j state.Job) {
	if j.Phase != job.PhaseKept {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(j.ID).keptUntil = j.KeptUntil
}

// forgetOthers drops what is remembered of jobs that are not among these.
func (c *Controller) forgetOthers(active []job.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, n := range c.notes {
		if !n.busy && !slices.Contains(active, id) {
			delete(c.notes, id)
		}
	}
}
