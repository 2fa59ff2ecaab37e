package s3bucket

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/bucketmill/bucketmill/objstore"
)

// counters is what a bucket's Stats are made of.
type counters struct {
	gets, heads, puts, lists, deletes atomic.Int64
	retries, hedges                   atomic.Int64
	read, written                     atomic.Int64
}

// Stats implements [objstore.Meter].
func (b *Bucket) Stats() objstore.Stats {
	c := &b.counters
	return objstore.Stats{
		Gets: c.gets.Load(), Heads: c.heads.Load(), Puts: c.puts.Load(), Lists: c.lists.Load(), Deletes: c.deletes.Load(),
		Retries: c.retries.Load(), Hedges: c.hedges.Load(),
		BytesRead: c.read.Load(), BytesWritten: c.written.Load(),
	}
}

// count adds a request that is about to be sent.
func (c *counters) count(r *http.Request) {
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodHead:
		c.heads.Add(1)
	case r.Method == http.MethodDelete || (r.Method == http.MethodPost && query.Has("delete")):
		c.deletes.Add(1)
	case r.Method == http.MethodGet && (query.Has("list-type") || query.Has("uploads")):
		c.lists.Add(1)
	case r.Method == http.MethodGet:
		c.gets.Add(1)
	default:
		c.puts.Add(1)
	}
	c.written.Add(max(0, r.ContentLength))
}

// call goes along in a request's context and tells the transport what the driver's library has no
// words for.
type call struct {
	counters *counters
	fresh    bool // wants a new connection
}

type callKey struct{}

// tag makes the context of a request of b's.
func (b *Bucket) tag(ctx context.Context, fresh bool) context.Context {
	return context.WithValue(ctx, callKey{}, call{counters: &b.counters, fresh: fresh})
}
