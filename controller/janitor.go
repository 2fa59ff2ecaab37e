package controller

import (
	"context"
	"time"

	"github.com/bucketmill/bucketmill/state"
)

const (
	janitorInterval = time.Minute
	janitorPage     = 100 // jobs looked at in one go
)

// tidy removes what is left of jobs whose history has run out: their logs, and their places
// in the list.
func (c *Controller) tidy(ctx context.Context) error {
	expired, err := c.cfg.Store.Expired(ctx, time.Now().Add(-max(c.cfg.History, 0)), janitorPage)
	if err != nil {
		return err
	}
	for _, id := range expired {
		layout := state.Layout{Prefix: c.workPrefix, Job: id, Spread: 1}
		if err := deleteAll(ctx, c.work, layout.LogFolder()); err != nil {
			return err
		}
	}
	return c.cfg.Store.Unlist(ctx, expired...)
}
