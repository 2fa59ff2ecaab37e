package controller

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// orphanInterval is how often the work store is searched for what belongs to no job.
const orphanInterval = 6 * time.Hour

// collect removes what lies on the work store for jobs that Redis does not know: those whose
// submission failed half-way, that Redis lost for good, or that an executor wrote for after they
// had ended. It must be old, since others may use the same prefix, with another Redis.
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

// collectBelow looks at one folder, whose next level are jobs.
func (c *Controller) collectBelow(ctx context.Context, folder string) error {
	// Keys come in order, so those of a job lie together.
	newest, current := time.Time{}, job.ID("")
	settle := func() error {
		if current == "" || time.Since(newest) < c.cfg.OrphanAge {
			return nil
		}
		known, err := c.cfg.Store.Known(ctx, current)
		if err != nil || known {
			return err
		}
		c.cfg.Log.Warn("nobody knows the job any more: what it left on the store is removed", "job", current, "folder", folder)
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
			if err := settle(); err != nil {
				return err
			}
			newest, current = time.Time{}, id
		}
		if o.ModTime.After(newest) {
			newest = o.ModTime
		}
	}
	return settle()
}

// jobOf returns which job an object below one of the work prefix's folders belongs to.
func jobOf(folder, key string) job.ID {
	id, _, _ := strings.Cut(strings.TrimPrefix(key, folder), "/")
	return job.ID(id)
}
