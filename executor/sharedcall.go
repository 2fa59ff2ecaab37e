package executor

import (
	"context"
	"sync"
)

// flight is a piece of work that several attempts wait for and that is done once for all of them.
// It belongs to the executor: an attempt that is stopped neither ends it nor waits for it. If
// it fails, it fails for all that wait, and is tried anew for the next one. As it gets on, so do they;
// while it hangs, none of them does.
type flight struct {
	mu      sync.Mutex
	current *landing // guarded by mu: nil while nothing is under way
}

type landing struct {
	done chan struct{} // closed when the work has ended
	err  error         // set before
	// waiting is guarded by the flight's mu. An attempt that was stopped stays: whether it gets on
	// counts no more.
	waiting []*attempt
}

// join has an attempt wait for the work that is under way, or has it begun, until ctx ends. The work calls
// moved whenever it gets on before its end.
func (f *flight) join(ctx context.Context, e *Executor, a *attempt, work func(ctx context.Context, moved func()) error) error {
	l := f.board(e, a, work)
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (f *flight) board(e *Executor, a *attempt, work func(ctx context.Context, moved func()) error) *landing {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == nil {
		l := &landing{done: make(chan struct{})}
		f.current = l
		e.share(func(ctx context.Context) {
			if l.err = work(ctx, func() { f.moved(l) }); l.err == nil {
				f.moved(l)
			}
			f.mu.Lock()
			f.current = nil
			f.mu.Unlock()
			close(l.done)
		})
	}
	f.current.waiting = append(f.current.waiting, a)
	return f.current
}

// share does a piece of work that belongs to the executor and to none of its attempts.
func (e *Executor) share(work func(ctx context.Context)) {
	e.shared.Go(func() { work(e.working) })
}

func (f *flight) moved(l *landing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range l.waiting {
		a.moves.Add(1)
	}
}
