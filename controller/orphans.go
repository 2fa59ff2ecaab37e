package controller

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// orphanInterval is how often the work store is searched for objects that belong to no job.
const orphanInterval = 6 * time.Hour

// collect removes the objects on the work store of jobs that Redis does not know: jobs whose
// submission failed half-way, that Redis has lost for good, or for which an executor wrote after
// they had ended. Only old objects are removed, because another cluster, with another Redis, may
// use the same prefix.
func (c *Controller) collect(ctx context.Context) error {
	layout := c.records("")
	folders := append(layout.SpreadFolders(), layout.LogFolders(), layout.JobFolders())
	for _, folder := range folders {
		if err := c.collectBelow(ctx, folder); err != nil {
			return fmt.Errorf("collect orphans: %w", err)
		}
	}
	return nil
}

// collectBelow does it for one folder, which has a folder for each job.
func (c *Controller) collectBelow(ctx context.Context, folder string) error {
	// Keys come in order, so those of a job follow each other.
	newest, current := time.Time{}, job.ID("")
	removeOld := func() error {
		if current == "" || time.Since(newest) < c.cfg.OrphanAge {
			return nil
		}
		known, err := c.cfg.Store.Known(ctx, current)
		if err != nil || known {
			return err
		}
		c.cfg.Log.Warn("removing what a job left on the store: Redis does not know it any more", "job", current, "folder", folder)
		return deleteAll(ctx, c.work, folder+string(current)+"/")
	}
	for o, err := range c.work.List(ctx, folder) {
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		id := jobOf(folder, o.Key)
		if id != current {
			if err := removeOld(); err != nil {
				return err
			}
			newest, current = time.Time{}, id
		}
		if o.ModTime.After(newest) {
			newest = o.ModTime
		}
	}
	return removeOld()
}

// jobOf returns the job that an object in one of the folders of the work store belongs to.
func jobOf(folder, key string) job.ID {
	id, _, _ := strings.Cut(strings.TrimPrefix(key, folder), "/")
	return job.ID(id)
}
