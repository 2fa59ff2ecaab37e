package input

import (
	"context"
	"sync"
)

// maxHeads bounds the memory of a Heads: about 1 MiB with names of the usual length.
const maxHeads = 4096

// Heads remembers what the first bytes of objects say, so that the splits of an object which do not begin
// with them need not all read them. It is for the objects of one plan, whose names stand for the same bytes
// throughout. It may be used by several goroutines.
//
// The first Reader that needs an object's first bytes has them read. Readers that need them meanwhile wait, and share
// the result, also an error. After an error the next Reader has them read again.
type Heads struct {
	run func(work func(context.Context))

	mu    sync.Mutex
	known map[string]content // guarded by mu
	asked map[string]*asking // guarded by mu: what is being read
}

// asking is a read that some wait for.
type asking struct {
	done chan struct{} // closed when it has ended
	content
	err error
}

// NewHeads returns an empty Heads. Run begins a piece of work that belongs to none of the Readers, in a goroutine
// that it waits for, with a context that outlives them.
func NewHeads(run func(work func(context.Context))) *Heads {
	return &Heads{run: run, known: map[string]content{}, asked: map[string]*asking{}}
}

// of returns what an object's first bytes say. Read finds that out.
func (h *Heads) of(ctx context.Context, object string, read func(context.Context) (content, error)) (content, error) {
	if h == nil {
		return read(ctx)
	}
	h.mu.Lock()
	if c, ok := h.known[object]; ok {
		h.mu.Unlock()
		return c, nil
	}
	a := h.asked[object]
	if a == nil {
		a = &asking{done: make(chan struct{})}
		h.asked[object] = a
		h.run(func(ctx context.Context) { h.ask(ctx, object, a, read) })
	}
	h.mu.Unlock()
	select {
	case <-a.done:
		return a.content, a.err
	case <-ctx.Done():
		return content{}, context.Cause(ctx)
	}
}

// ask reads, and tells all that wait.
func (h *Heads) ask(ctx context.Context, object string, a *asking, read func(context.Context) (content, error)) {
	defer close(a.done)
	a.content, a.err = read(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.asked, object)
	if a.err != nil {
		return
	}
	for forgotten := range h.known { // any will do: splits come in the order of their objects
		if len(h.known) < maxHeads {
			break
		}
		delete(h.known, forgotten)
	}
	h.known[object] = a.content
}
