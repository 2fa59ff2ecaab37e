package s3bucket

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errOvertaken is the cause of the end of a request that another was faster than.
var errOvertaken = errors.New("another request was faster")

// hedge allows a read to be sent again because it is slow, and counts that, or not.
func (b *Bucket) hedge() bool {
	allowed := b.patience.spend()
	if allowed {
		b.counters.Hedges.Add(1)
	}
	return allowed
}

// race is a read that is sent again, on a new connection, while nothing came of it. The first
// answer counts; the other requests are cancelled, and waited for.
type race struct {
	bucket *Bucket
	send   func(context.Context) (Answer, error)

	others sync.WaitGroup // the hedges under way

	mu      sync.Mutex
	running map[*watch]bool // guarded by mu, like the rest
	timer   *time.Timer     // to the next hedge; nil where there are none
	hedges  int
	closed  bool // no more hedges
	decided bool
	answer  Answer
	watch   *watch // the answer's, still wound up
	err     error  // while undecided, of the request that failed last
}

// fastest sends a read, and hedges where it is slow. The answer's watch is the caller's to end.
func (b *Bucket) fastest(ctx context.Context, fresh bool, send func(context.Context) (Answer, error)) (Answer, *watch, error) {
	r := &race{bucket: b, send: send, running: make(map[*watch]bool, 1)}
	b.patience.sent()
	r.mu.Lock()
	first, w := r.enter(ctx, fresh)
	if slow := b.patience.slow(); slow > 0 {
		r.timer = time.AfterFunc(slow, func() { r.hedge(ctx, slow) })
	}
	r.mu.Unlock()
	r.run(first, w)
	r.close()
	r.others.Wait()
	return r.answer, r.watch, r.err
}

func (r *race) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
	}
}

// enter needs mu.
func (r *race) enter(ctx context.Context, fresh bool) (context.Context, *watch) {
	ctx, w := newWatch(r.bucket.tag(ctx, fresh), r.bucket.config.RequestTimeout)
	r.running[w] = true
	return ctx, w
}

// hedge sends the read again if it may, and looks again after as long as this time.
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
	r.others.Add(1)
	defer r.others.Done()
	again, w := r.enter(ctx, true)
	r.mu.Unlock()
	r.run(again, w)
}

// run sends the request that w watches. What it comes to decides the race, but for a failure that
// another request may not meet.
func (r *race) run(ctx context.Context, w *watch) {
	began := time.Now()
	a, err := r.send(ctx)
	err = w.explain(err)
	took := time.Since(began)

	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, w)
	if err == nil || errors.Is(context.Cause(ctx), errOvertaken) {
		r.bucket.patience.answered(took)
	}
	if slowDown(err) { // of which nobody hears if another request wins
		r.bucket.patience.throttled()
	}
	if err != nil {
		w.end()
	}
	_, again := classify(err)
	switch {
	case r.decided && err == nil:
		_ = a.Body.Close() // nobody wants it
		w.end()
		return
	case r.decided:
		return
	case again:
		r.err = err
		return
	}
	r.decided, r.answer, r.watch, r.err = true, a, w, err
	for other := range r.running {
		other.cancel(errOvertaken)
	}
}
