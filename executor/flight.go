package executor

import (
	"context"
	"sync"
)

// flight is a piece of work that several attempts wait for and that is done once for all of them.
// It belongs to the executor: an attempt that is stopped neither ends it nor waits for it. If
// it fails, it fails for all that wait, and is tried anew for the next one.
type flight struct {
	mu      sync.Mutex
	current *landing // guarded by mu: nil while nothing is under way
}

type landing struct {
	done chan struct{} // closed when the work has ended
	err  error         // set before
}

// join waits for the work that is under way, or has it begun, until ctx ends.
func (f *flight) join(ctx context.Context, e *Executor, work func(context.Context) error) error {
	l := f.depart(e, work)
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (f *flight) depart(e *Executor, work func(context.Context) error) *landing {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == nil {
		l := &landing{done: make(chan struct{})}
		f.current = l
		e.shared.Go(func() {
			l.err = work(e.working)
			f.mu.Lock()
			f.current = nil
			f.mu.Unlock()
			close(l.done)
		})
	}
	return f.current
}
