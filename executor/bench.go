package executor

import (
	"sync"
	"time"
)

// An executor where attempts fail one after the other through no fault of their programs (its
// disk is full, its network is bad) takes itself off the field for a while, so that tasks go
// where they can be done. Then it tries with one attempt, and sits out for longer if that fails.
const (
	benchAfter = 3                // failures in a row
	benchFirst = 5 * time.Second  // the first time on the bench; doubles
	benchMost  = 20 * time.Second // and no longer than so
)

// bench remembers how an executor's attempts ended.
type bench struct {
	mu       sync.Mutex
	failures int       // guarded by mu: infrastructure failures since the last attempt that ended otherwise
	until    time.Time // guarded by mu: end of the time on the bench
}

// saw takes down how an attempt ended, and returns for how long the executor is benched by it.
func (b *bench) saw(infra bool) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !infra {
		b.failures, b.until = 0, time.Time{}
		return 0
	}
	if time.Now().Before(b.until) {
		return 0 // others that ran beside the one that was the last straw don't count
	}
	b.failures++
	if b.failures < benchAfter {
		return 0
	}
	d := min(benchFirst<<min(b.failures-benchAfter, 10), benchMost)
	b.until = time.Now().Add(d)
	return d
}

// rest returns how long the executor has to sit out yet, and whether it then is on trial: to
// take one attempt, and wait how that ends.
func (b *bench) rest() (left time.Duration, trial bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, time.Until(b.until)), b.failures >= benchAfter
}

// benched returns until when the executor sits out; zero: it does not.
func (b *bench) benched() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().After(b.until) {
		return time.Time{}
	}
	return b.until
}
