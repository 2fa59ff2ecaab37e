package controller

import (
	"context"
	"time"
)

const (
	janitorInterval = time.Minute
	relieveInterval = 10 * time.Second
	janitorPage     = 100 // jobs checked at a time
	recentJobs      = 1000
)

// tidy enlists active jobs that are missing from the list of active jobs, and removes what is left
// of jobs whose history has expired: their logs, and their entries in the list of jobs.
func (c *Controller) tidy(ctx context.Context) error {
	if err := c.cfg.Store.Remember(ctx, recentJobs); err != nil {
		return err
	}
	expired, err := c.cfg.Store.Expired(ctx, time.Now().Add(-max(c.cfg.History, 0)), janitorPage)
	if err != nil {
		return err
	}
	for _, id := range expired {
		if err := deleteAll(ctx, c.work, c.records(id).LogFolder()); err != nil {
			return err
		}
	}
	return c.cfg.Store.Unlist(ctx, expired...)
}
