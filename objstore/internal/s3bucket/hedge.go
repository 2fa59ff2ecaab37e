package s3bucket

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errOvertaken is the cause with which the slower requests of a race are cancelled.
var errOvertaken = errors.New("another request was faster")

// hedge reports whether a slow read may be sent again, and counts it if so.
func (b *Bucket) hedge() bool {
	allowed := b.patience.spend()
	if allowed {
		b.counters.Hedges.Add(1)
	}
	return allowed
}

// race is a read that is sent again, each time on a new connection, as long as it has no answer.
// The first answer counts; the other requests are cancelled, and the race waits for their end.
type race struct {
	bucket *Bucket
	send   func(context.Context) (Answer, error)

	hedging sync.WaitGroup // the running hedges

	mu       sync.Mutex
	running  map[*watchdog]bool // guarded by mu, like the fields below: one for each running request
	timer    *time.Timer        // until the next hedge; nil if hedging is off
	hedges   int                // sent
	closed   bool               // the first request has ended: no more hedges
	decided  bool
	answer   Answer
	watchdog *watchdog // of the answer, still running
	err      error     // before the decision, that of the request that failed last
}

// fastest sends a read, and hedges it while it is slow. The caller must end the watchdog of the
// answer.
func (b *Bucket) fastest(ctx context.Context, fresh bool, send func(context.Context) (Answer, error)) (Answer, *watchdog, error) {
	r := &race{bucket: b, send: send, running: make(map[*watchdog]bool, 1)}
	b.patience.earn()
	r.mu.Lock()
	first, w := r.add(ctx, fresh)
	if slow := b.patience.slowAfter(); slow > 0 {
		r.timer = time.AfterFunc(slow, func() { r.hedge(ctx, slow) })
	}
	r.mu.Unlock()
	r.run(first, w)
	r.close()
	r.hedging.Wait()
	return r.answer, r.watchdog, r.err
}

func (r *race) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
	}
}

// add adds a request to the race. The caller has locked mu.
func (r *race) add(ctx context.Context, fresh bool) (context.Context, *watchdog) {
	ctx, w := newWatchdog(r.bucket.withCallInfo(ctx, fresh), r.bucket.config.RequestTimeout)
	r.running[w] = true
	return ctx, w
}

// hedge sends the read again if that is allowed. It sets the timer for the next hedge.
func (r *race) hedge(ctx context.Context, slow time.Duration) {
	r.mu.Lock()
	if r.closed || r.decided {
		r.mu.Unlock()
		return
	}
	allowed := r.bucket.hedge()
	if allowed {
		r.hedges++
	}
	if r.hedges < hedgesEach {
		r.timer.Reset(slow)
	}
	if !allowed {
		r.mu.Unlock()
		return
	}
	r.hedging.Add(1)
	defer r.hedging.Done()
	again, w := r.add(ctx, true)
	r.mu.Unlock()
	r.run(again, w)
}

// run sends the request that w watches. Its outcome decides the race, except a failure that another
// request may not have.
func (r *race) run(ctx context.Context, w *watchdog) {
	began := time.Now()
	a, err := r.send(ctx)
	err = w.explain(err)
	took := time.Since(began)

	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, w)
	if err == nil || errors.Is(context.Cause(ctx), errOvertaken) {
		r.bucket.patience.observe(took)
	}
	if slowDown(err) { // the caller does not see this error if another request wins
		r.bucket.patience.throttled()
	}
	if err != nil {
		w.end()
	}
	_, retryable := classify(err)
	switch {
	case r.decided && err == nil:
		_ = a.Body.Close() // another answer won
		w.end()
		return
	case r.decided:
		return
	case retryable:
		r.err = err
		return
	}
	r.decided, r.answer, r.watchdog, r.err = true, a, w, err
	for other := range r.running {
		other.cancel(errOvertaken)
	}
}
