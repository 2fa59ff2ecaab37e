package controller

import (
	"context"
	"time"
)

// One of all controllers reports the state of the whole cluster: sums over all of them would count
// each job several times. It is the controller that holds a lock in Redis.

const (
	reportInterval = 3 * time.Second
	reportTTL      = 4 * reportInterval // the lock's
)

// holdReports takes the lock, or keeps it.
func (c *Controller) holdReports(ctx context.Context) error {
	sent := time.Now()
	mine, err := c.cfg.Store.HoldReports(ctx, c.cfg.ID, reportTTL)
	if err != nil {
		return err // a lock that was held stays held until it expires
	}
	var until time.Time
	if mine {
		until = sent.Add(reportTTL) // Redis starts counting later
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reportsUntil = until
	return nil
}

// leaveReports releases the lock, so that another controller can report at once.
func (c *Controller) leaveReports(ctx context.Context) {
	if !c.Reports() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := c.cfg.Store.ReleaseReports(ctx, c.cfg.ID); err != nil {
		c.cfg.Log.Debug("releasing the lock on reports failed", "error", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reportsUntil = time.Time{}
}

// Reports reports whether this is the controller that reports the state of the whole cluster.
func (c *Controller) Reports() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.reportsUntil)
}
