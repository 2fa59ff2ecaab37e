package s3bucket

import (
	"context"
	"net/http"

	"github.com/bucketmill/bucketmill/objstore"
)

// Stats implements [objstore.Meter].
func (b *Bucket) Stats() objstore.Stats { return b.counters.Stats() }

// count counts a request that is about to be sent.
func count(c *objstore.Counters, r *http.Request) {
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodHead:
		c.Heads.Add(1)
	case r.Method == http.MethodDelete || (r.Method == http.MethodPost && query.Has("delete")):
		c.Deletes.Add(1)
	case r.Method == http.MethodGet && (query.Has("list-type") || query.Has("uploads") || query.Has("uploadId")):
		c.Lists.Add(1)
	case r.Method == http.MethodGet:
		c.Gets.Add(1)
	default:
		c.Puts.Add(1)
	}
	c.BytesWritten.Add(max(0, r.ContentLength))
}

// callInfo travels in a request's context. It tells the transport what can't be passed through the
// driver's library.
type callInfo struct {
	counters *objstore.Counters
	fresh    bool // the request needs a new connection
}

type callInfoKey struct{}

// withCallInfo returns the context of a request of b.
func (b *Bucket) withCallInfo(ctx context.Context, fresh bool) context.Context {
	return context.WithValue(ctx, callInfoKey{}, callInfo{counters: &b.counters, fresh: fresh})
}
