package split

import (
	"context"
	"sync"
)

// maxHeads bounds the memory of a Heads: about 1 MiB with names of the usual length.
const maxHeads = 4096

// Heads remembers what the first bytes of objects say, so that the splits of an object which do not begin
// with them need not all read them. It is for the objects of one plan, whose names stand for the same bytes
// throughout. It may be used by several goroutines. The zero Heads is empty.
type Heads struct {
	mu    sync.Mutex
	known map[string]*knownHead
}

// knownHead is what is known of an object. Turn is held by whoever finds it out.
type knownHead struct {
	turn  chan struct{}
	known bool
	content
}

// of returns what an object's first bytes say. Read finds that out; it is called by one goroutine at a time
// for an object, and not again once it has succeeded.
func (h *Heads) of(ctx context.Context, object string, read func() (content, error)) (content, error) {
	if h == nil {
		return read()
	}
	k := h.entry(object)
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return content{}, context.Cause(ctx)
	}
	if k.known {
		return k.content, nil
	}
	c, err := read()
	if err != nil {
		return content{}, err
	}
	k.content, k.known = c, true
	return c, nil
}

func (h *Heads) entry(object string) *knownHead {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil {
		h.known = map[string]*knownHead{}
	}
	k := h.known[object]
	if k == nil {
		for forgotten := range h.known { // any will do: splits come in the order of their objects
			if len(h.known) < maxHeads {
				break
			}
			delete(h.known, forgotten)
		}
		k = &knownHead{turn: make(chan struct{}, 1)}
		h.known[object] = k
	}
	return k
}
