package executor

import (
	"context"
	"errors"
	"time"

	"github.com/bucketmill/bucketmill/state"
)

// Why an attempt is stopped; causes of its context.
var (
	errGivenAway = errors.New("attempt was given away: its lease ended, its job ended, or another attempt won")
	errUnsure    = errors.New("lease could not be renewed in time")
)

// heartbeat renews the leases of all attempts, and says who we are, until ctx ends.
func (e *Executor) heartbeat(ctx context.Context) {
	tick := time.NewTicker(e.cfg.Heartbeat)
	defer tick.Stop()
	e.report(ctx)
	for {
		select {
		case <-ctx.Done():
			e.leave(ctx)
			return
		case <-tick.C:
			e.renew(ctx)
			e.report(ctx)
		}
	}
}

// renew sends one heartbeat. Attempts that Redis says are lost are stopped, and so are those
// whose lease may have ended by now for all we know: an executor stops trusting a lease
// before Redis does, since the lease runs from when Redis got the last renewal, which is not
// before we sent it.
func (e *Executor) renew(ctx context.Context) {
	running := e.running()
	if len(running) == 0 {
		return
	}
	beats := make([]state.Beat, len(running))
	for i, a := range running {
		beats[i] = state.Beat{Attempt: a.Attempt, Progress: int(a.progress.Load())}
	}
	sent := time.Now()
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Lease/3)
	defer cancel()
	lost, err := e.cfg.Store.Renew(ctx, e.cfg.ID, e.cfg.Lease, beats)
	if err != nil {
		e.cfg.Log.Warn("renew leases", "executor", e.cfg.ID, "attempts", len(running), "error", err)
		for _, a := range running {
			if time.Since(a.renewed) > e.cfg.Lease-e.cfg.Heartbeat {
				a.stop(errUnsure)
			}
		}
		return
	}
	gone := make(map[state.AttemptID]bool, len(lost))
	for _, id := range lost {
		gone[id] = true
	}
	for _, a := range running {
		if gone[a.Attempt] {
			a.stop(errGivenAway)
		} else {
			a.renewed = sent
		}
	}
}

func (e *Executor) running() []*attempt {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]*attempt, 0, len(e.attempts))
	for _, a := range e.attempts {
		all = append(all, a)
	}
	return all
}
