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

// ensureRestored notices when Redis has lost its data (or is a new one), and submits all
// jobs again whose records are on the work store. Planning then finds out how far each was.
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

// Restoring tells whether Redis has lost what it held, and jobs are about to be submitted again.
func (c *Controller) Restoring(ctx context.Context) (bool, error) {
	if !c.cfg.Durable {
		return false, nil
	}
	alive, err := c.cfg.Store.Alive(ctx)
	return err == nil && !alive, err
}

// reconcileInterval is how often the work store is searched for jobs that Redis does not know: a
// replica that took over may not have seen the last that were submitted.
const reconcileInterval = 20 * time.Second

// restore submits those jobs on the work store that Redis does not know. Those that were planned
// come first: their outputs are theirs, whoever else waits to be refused them.
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
		// In this order: a job that is forgotten has no record any more.
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
			c.cfg.Log.Error("a job is lost: Redis does not know it, and its record can't be read", "job", id, "error", err)
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
			return err // any other, planning meets again, and it fails this job alone
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

// firstTrouble tells whether nothing was said yet of a job that can't be restored.
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
			return err // any other, planning meets again, and it fails this job alone
		}
	}
	err := c.cfg.Store.Restore(ctx, r.By, id, r.Name, r.Priority, r.Spec, r.Submitted)
	if err != nil && !errors.Is(err, state.ErrExists) {
		return err
	}
	c.cfg.Log.Warn("Redis has lost a job: it goes on from what the store holds", "job", id, "planned", planned)
	return nil
}
