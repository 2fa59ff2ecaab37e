package executor

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/state"
)

// idleWait is how long an executor without work sleeps unless it is woken.
const idleWait = 2 * time.Second

// trialPause is the time between two checks whether the attempt on trial has ended.
const trialPause = 100 * time.Millisecond

// claimLoop claims tasks while slots are free, until ctx ends. The attempts run under the context
// working. It returns when all of them have ended.
func (e *Executor) claimLoop(ctx, working context.Context) {
	slots := make(chan struct{}, e.cfg.Slots)
	var attempts sync.WaitGroup
	defer attempts.Wait()
	for {
		free := e.takeSlots(ctx, slots)
		if free == 0 {
			return
		}
		claims, err := e.claim(ctx, free)
		for range free - len(claims) {
			<-slots
		}
		for _, c := range claims {
			ctx, a := e.register(working, c)
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
			e.metrics.claimFail.Inc()
			e.cfg.Log.Error("claiming tasks failed", "executor", e.cfg.ID, "error", err)
			pause(ctx, idleWait)
		}
	}
}

// claim claims up to wanted tasks, but none of jobs that keep failing on this executor.
func (e *Executor) claim(ctx context.Context, wanted int) ([]state.Claim, error) {
	shunned, last := e.breaker.avoided()
	if len(last) > 0 {
		claims, err := e.cfg.Store.Claim(ctx, e.cfg.ID, wanted, e.cfg.Lease, slices.Concat(shunned, last)...)
		if err != nil || len(claims) > 0 {
			return claims, err
		}
	}
	return e.cfg.Store.Claim(ctx, e.cfg.ID, wanted, e.cfg.Lease, shunned...)
}

// takeSlots takes all free slots and returns their number. If none is free it waits for one; it
// returns 0 when ctx has ended. While the circuit breaker allows only a trial, it waits until all
// slots are free, and takes one.
func (e *Executor) takeSlots(ctx context.Context, slots chan struct{}) int {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	left, trial := e.breaker.remaining()
	if !trial {
		return 1 + takeFree(slots)
	}
	for trial && (left > 0 || len(slots) > 1) { // the attempt on trial must be the only one
		pause(ctx, max(left, trialPause))
		if ctx.Err() != nil {
			<-slots
			return 0
		}
		left, trial = e.breaker.remaining()
	}
	return 1
}

// takeFree takes all slots that are free at this moment and returns their number.
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

// register adds a claimed attempt to those that run: from now on its lease is renewed.
func (e *Executor) register(working context.Context, c state.Claim) (context.Context, *attempt) {
	a := &attempt{Claim: c, renewed: time.Now(), done: make(chan struct{})}
	ctx, stop := context.WithCancelCause(working)
	a.stop = stop
	e.mu.Lock()
	defer e.mu.Unlock()
	e.attempts[c.Attempt] = a
	return ctx, a
}

// unregister removes an attempt that has ended.
func (e *Executor) unregister(a *attempt) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.attempts, a.Attempt)
	a.stop(nil)
	close(a.done)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
