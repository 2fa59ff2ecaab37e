package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// ensureRestored notices that Redis has lost its data (or is a new one), and submits all jobs again
// whose records are on the work store. Planning then finds out how far each job had come.
func (c *Controller) ensureRestored(ctx context.Context) error {
	if !c.cfg.Durable {
		return nil
	}
	alive, err := c.cfg.Store.Alive(ctx)
	if err != nil || alive {
		return err
	}
	if err := c.restore(ctx); err != nil {
		return fmt.Errorf("restore jobs: %w", err)
	}
	return c.cfg.Store.SetAlive(ctx)
}

// Restoring reports whether Redis has lost its data, and jobs are about to be submitted again.
func (c *Controller) Restoring(ctx context.Context) (bool, error) {
	if !c.cfg.Durable {
		return false, nil
	}
	alive, err := c.cfg.Store.Alive(ctx)
	return err == nil && !alive, err
}

// reconcileInterval is how often the work store is searched for jobs that Redis does not know: a
// replica that took over may have missed the last submissions.
const reconcileInterval = 20 * time.Second

// restore submits the jobs on the work store that Redis does not know. Jobs that were planned come
// first, because their outputs are theirs: other jobs that want the same outputs must be refused.
func (c *Controller) restore(ctx context.Context) error {
	folder := c.records("").JobFolders()
	active, err := c.cfg.Store.Active(ctx)
	if err != nil {
		return err
	}
	var waiting []job.ID
	records := map[job.ID]jobRecord{}
	for o, err := range c.work.List(ctx, folder) {
		if isNotFound(err) {
			break
		}
		if err != nil {
			return err
		}
		id := jobOf(folder, o.Key)
		if o.Key != c.records(id).Record() {
			continue
		}
		// In this order: a job whose history was removed has no record any more.
		known, err := c.cfg.Store.Known(ctx, id)
		if err == nil && known && !slices.Contains(active, id) {
			err = c.cfg.Store.Enlist(ctx, id)
		}
		if err != nil {
			return err
		}
		if known {
			continue
		}
		var r jobRecord
		found, err := c.readRecord(ctx, o.Key, &r)
		if transient(err) {
			return err
		}
		if err != nil && c.firstTrouble(id) {
			c.cfg.Log.Error("job lost: Redis does not know it, and its record can't be read", "job", id, "error", err)
		}
		if err != nil || !found {
			continue
		}
		if r.Namespace != c.cfg.Store.Namespace() {
			continue
		}
		records[id] = r
		_, planned, err := c.readPlan(ctx, id)
		if transient(err) {
			return err // planning meets any other error again, and then only this job fails
		}
		if !planned {
			waiting = append(waiting, id)
			continue
		}
		if err := c.restoreJob(ctx, id, r, true); err != nil {
			return err
		}
	}
	for _, id := range waiting {
		if err := c.restoreJob(ctx, id, records[id], false); err != nil {
			return err
		}
	}
	return nil
}

// firstTrouble reports whether the log does not mention yet that a job can't be restored.
func (c *Controller) firstTrouble(id job.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	said := c.unreadable[id]
	c.unreadable[id] = true
	return !said
}

func (c *Controller) restoreJob(ctx context.Context, id job.ID, r jobRecord, planned bool) error {
	if planned {
		s := c.newStep(ctx, state.Job{ID: id, Spec: r.Spec})
		err := s.broken
		if err == nil {
			_, err = s.takeOutput(ctx)
		}
		if transient(err) || state.IsOutage(err) {
			return err // planning meets any other error again, and then only this job fails
		}
	}
	err := c.cfg.Store.Restore(ctx, r.By, id, r.Name, r.Priority, r.Spec, r.Submitted)
	if err != nil && !errors.Is(err, state.ErrExists) {
		return err
	}
	c.cfg.Log.Warn("job restored from the store: Redis had lost it", "job", id, "planned", planned)
	return nil
}
