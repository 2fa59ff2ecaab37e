package executor

import (
	"context"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/state"
)

// idleWait is how long an executor without work sleeps unless it is woken.
const idleWait = 2 * time.Second

// claimLoop takes tasks while slots are free, until ctx ends, and returns when all attempts,
// whose context is working, have ended.
func (e *Executor) claimLoop(ctx, working context.Context) {
	slots := make(chan struct{}, e.cfg.Slots)
	var attempts sync.WaitGroup
	defer attempts.Wait()
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		free := 1 + takeFree(slots)
		claims, err := e.cfg.Store.Claim(ctx, e.cfg.ID, free, e.cfg.Lease)
		for range free - len(claims) {
			<-slots
		}
		for _, c := range claims {
			ctx, a := e.begin(working, c)
			attempts.Go(func() {
				defer func() { <-slots }()
				e.run(ctx, a)
			})
		}
		if len(claims) > 0 {
			continue
		}
		if err == nil {
			err = e.cfg.Store.WaitWork(ctx, idleWait)
		}
		if err != nil && ctx.Err() == nil {
			e.cfg.Log.Error("claim tasks", "executor", e.cfg.ID, "error", err)
			pause(ctx, idleWait)
		}
	}
}

// takeFree takes all slots that are free at this moment and returns how many.
func takeFree(slots chan struct{}) (n int) {
	for {
		select {
		case slots <- struct{}{}:
			n++
		default:
			return n
		}
	}
}

// begin registers an attempt that was claimed, so that its lease is renewed from now on.
func (e *Executor) begin(working context.Context, c state.Claim) (context.Context, *attempt) {
	a := &attempt{Claim: c, executor: e, renewed: time.Now(), done: make(chan struct{})}
	ctx, stop := context.WithCancelCause(working)
	a.stop = stop
	e.mu.Lock()
	defer e.mu.Unlock()
	e.attempts[c.Attempt] = a
	return ctx, a
}

func (e *Executor) end(a *attempt) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.attempts, a.Attempt)
	a.stop(nil)
	close(a.done)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
