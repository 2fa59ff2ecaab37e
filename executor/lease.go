package executor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// The reasons why an attempt is stopped: the causes of its context.
var (
	errReassigned = errors.New("attempt lost its task: its lease ended, its job ended, or another attempt won")
	errUnsure     = errors.New("lease was not renewed in time")
)

// heartbeat renews the leases of all attempts and reports the executor, once per Config.Heartbeat,
// until ctx ends. It also renews the leases when news come in between.
func (e *Executor) heartbeat(ctx context.Context, news <-chan struct{}) {
	tick := time.NewTicker(e.cfg.Heartbeat)
	defer tick.Stop()
	e.report(ctx)
	for {
		select {
		case <-ctx.Done():
			e.leave(ctx)
			return
		case <-tick.C:
			e.beat(ctx, news)
		case <-news:
			select {
			case <-tick.C: // the heartbeat also renews, so once is enough
				e.beat(ctx, news)
			default:
				e.renew(ctx)
			}
		}
	}
}

// beat sends a regular heartbeat. News that wait need no renewal of their own, so beat drops them.
func (e *Executor) beat(ctx context.Context, news <-chan struct{}) {
	select {
	case <-news:
	default:
	}
	e.renew(ctx)
	e.report(ctx)
	e.leftovers.clearAgain()
}

// listen waits for news of jobs until ctx ends. If an attempt runs for such a job, another process
// may have ended the attempt, and a renewal says so. The next heartbeat finds news that listen
// misses.
func (e *Executor) listen(ctx context.Context, news chan<- struct{}) {
	place := ""
	for ctx.Err() == nil {
		var (
			jobs []job.ID
			err  error
		)
		if place == "" {
			place, err = e.cfg.Store.NewsPlace(ctx)
		} else {
			jobs, place, err = e.cfg.Store.WaitNews(ctx, place, newsWait)
		}
		if err != nil {
			place = "" // Redis may have lost its data, and the place with it
			pause(ctx, newsPause)
			continue
		}
		if e.worksFor(jobs) {
			select {
			case news <- struct{}{}:
			default: // a renewal is due already
			}
		}
	}
}

const (
	newsWait  = 10 * time.Second // of one call, so an idle executor makes one call in this time
	newsPause = time.Second      // after a failure
)

// worksFor reports whether an attempt runs for one of these jobs.
func (e *Executor) worksFor(jobs []job.ID) bool {
	for _, a := range e.running() {
		if slices.Contains(jobs, a.Attempt.Job) {
			return true
		}
	}
	return false
}

// renew renews the leases of all attempts. It stops attempts that are lost according to Redis, and
// those whose lease may have ended: an executor stops trusting a lease before Redis does, since the
// lease runs from the time at which Redis got the last renewal, and this is not before the executor
// sent it.
func (e *Executor) renew(ctx context.Context) {
	running := e.running()
	if len(running) == 0 {
		return
	}
	beats := make([]state.Beat, len(running))
	for i, a := range running {
		a.signsSent = a.signs.Load()
		beats[i] = state.Beat{Attempt: a.Attempt, Progress: int(a.thousandths.Load()), Progressed: a.signsSent != a.signsRenewed}
	}
	sent := time.Now()
	asking, cancel := context.WithTimeout(ctx, e.cfg.Lease/3)
	defer cancel()
	lost, read, err := e.cfg.Store.Renew(asking, e.cfg.ID, e.cfg.Lease, beats)
	if err != nil {
		e.metrics.renewals.Inc()
		e.cfg.Log.Warn("renewing leases failed", "executor", e.cfg.ID, "attempts", len(running), "error", err)
		for _, a := range running {
			if time.Since(a.renewed) > e.cfg.Lease-e.cfg.Heartbeat {
				a.stop(errUnsure)
			}
		}
		return
	}
	gone := make(map[job.AttemptID]bool, len(lost))
	for _, id := range lost {
		gone[id] = true
	}
	for _, a := range running {
		if gone[a.Attempt] {
			a.stop(errReassigned)
		} else {
			a.renewed, a.signsRenewed = sent, a.signsSent
		}
		if slices.Contains(read, a.Attempt) {
			e.shareLog(ctx, a)
		}
	}
}

// running returns the running attempts, sorted by name.
func (e *Executor) running() []*attempt {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.SortedFunc(maps.Values(e.attempts), func(a, b *attempt) int {
		return strings.Compare(a.Attempt.String(), b.Attempt.String())
	})
}
