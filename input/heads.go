package input

import (
	"context"
	"sync"
)

// maxHeads limits the memory of a Heads: about 1 MiB with names of the usual length.
const maxHeads = 4096

// Heads remembers what the first bytes of objects say, so that not every split of an object has to
// read them. It is for the objects of one plan: there, a name always means the same bytes. Several
// goroutines may use it.
//
// The first Reader that needs an object's first bytes starts a read of them. Readers that need them
// in the meantime wait, and share the result, even an error. After an error the next Reader starts
// another read.
type Heads struct {
	run func(work func(context.Context))

	mu    sync.Mutex
	known map[string]content   // guarded by mu
	reads map[string]*headRead // guarded by mu: the reads under way
}

// headRead is a read for which Readers wait.
type headRead struct {
	done chan struct{} // closed when it has ended
	content
	err error
}

// NewHeads returns an empty Heads. It reads through run, which must start work in a goroutine, with
// a context that outlives each single Reader. The caller waits for these goroutines.
func NewHeads(run func(work func(context.Context))) *Heads {
	return &Heads{run: run, known: map[string]content{}, reads: map[string]*headRead{}}
}

// of returns what an object's first bytes say. If that is not known, read finds it out.
func (h *Heads) of(ctx context.Context, object string, read func(context.Context) (content, error)) (content, error) {
	if h == nil {
		return read(ctx)
	}
	h.mu.Lock()
	if c, ok := h.known[object]; ok {
		h.mu.Unlock()
		return c, nil
	}
	a := h.reads[object]
	if a == nil {
		a = &headRead{done: make(chan struct{})}
		h.reads[object] = a
		h.run(func(ctx context.Context) { h.finish(ctx, object, a, read) })
	}
	h.mu.Unlock()
	select {
	case <-a.done:
		return a.content, a.err
	case <-ctx.Done():
		return content{}, context.Cause(ctx)
	}
}

// finish calls read, and wakes all Readers that wait.
func (h *Heads) finish(ctx context.Context, object string, a *headRead, read func(context.Context) (content, error)) {
	defer close(a.done)
	a.content, a.err = read(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.reads, object)
	if a.err != nil {
		return
	}
	for forgotten := range h.known { // any: splits come in the order of their objects
		if len(h.known) < maxHeads {
			break
		}
		delete(h.known, forgotten)
	}
	h.known[object] = a.content
}
