package controller

import (
	"context"
	"time"
)

// Of all controllers one reports what the whole cluster is like: sums over them would count each job as often
// as there are controllers. It is the one that holds a lock in Redis.

const (
	reportInterval = 3 * time.Second
	reportTTL      = 4 * reportInterval // the lock's
)

// holdReports takes the lock, or keeps it.
func (c *Controller) holdReports(ctx context.Context) error {
	sent := time.Now()
	mine, err := c.cfg.Store.HoldReports(ctx, c.cfg.ID, reportTTL)
	if err != nil {
		return err // what was held stays so until it ends
	}
	var until time.Time
	if mine {
		until = sent.Add(reportTTL) // Redis counts from later on
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reportsUntil = until
	return nil
}

// leaveReports lets another controller report at once.
func (c *Controller) leaveReports(ctx context.Context) {
	if !c.Reports() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := c.cfg.Store.LeaveReports(ctx, c.cfg.ID); err != nil {
		c.cfg.Log.Debug("leave the reports to another controller", "error", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reportsUntil = time.Time{}
}

// Reports tells whether this is the controller that reports what the whole cluster is like.
func (c *Controller) Reports() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.reportsUntil)
}
