package executor

import (
	"context"
	"sync"
)

// sharedCall is a piece of work that several attempts wait for and that is done once for all of
// them, such as the download of a program. It belongs to the executor: an attempt that is stopped
// neither ends it nor waits for it. If it fails, it fails for all attempts that wait, and is tried
// again for the next one. Its progress counts as progress of every waiting attempt; while it hangs,
// none of them makes any.
//
// Its methods may be called concurrently; the zero value is ready for use.
type sharedCall struct {
	mu      sync.Mutex
	current *call // guarded by mu: nil while no call is under way
}

// call is one try of the work.
type call struct {
	done chan struct{} // closed when the work has ended
	err  error         // set before done is closed
	// waiting is guarded by the sharedCall's mu. Attempts that were stopped are not removed; their
	// progress no longer matters.
	waiting []*attempt
}

// join has an attempt wait for the call that is under way, or for one that it starts, until ctx
// ends. The work calls progressed whenever it makes progress before its end.
func (s *sharedCall) join(ctx context.Context, e *Executor, a *attempt, work func(ctx context.Context, progressed func()) error) error {
	c := s.start(e, a, work)
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// start adds an attempt to those that wait for the call under way. If there is none, it starts one.
func (s *sharedCall) start(e *Executor, a *attempt, work func(ctx context.Context, progressed func()) error) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		c := &call{done: make(chan struct{})}
		s.current = c
		e.share(func(ctx context.Context) {
			if c.err = work(ctx, func() { s.progressed(c) }); c.err == nil {
				s.progressed(c)
			}
			s.mu.Lock()
			s.current = nil
			s.mu.Unlock()
			close(c.done)
		})
	}
	s.current.waiting = append(s.current.waiting, a)
	return s.current
}

// progressed counts as progress of every attempt that waits for a call.
func (s *sharedCall) progressed(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range c.waiting {
		a.signs.Add(1)
	}
}

// share does a piece of work that belongs to the executor and to none of its attempts. The work's
// context ends when the executor's attempts must end, and Run waits for the work.
func (e *Executor) share(work func(ctx context.Context)) {
	e.shared.Go(func() { work(e.working) })
}
