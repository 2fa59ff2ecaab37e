package s3bucket

import (
	"context"
	"net/http"

	"github.com/bucketmill/bucketmill/objstore"
)

// Stats implements [objstore.Meter].
func (b *Bucket) Stats() objstore.Stats { return b.counters.Stats() }

// count adds a request that is about to be sent.
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

// call goes along in a request's context and tells the transport what the driver's library has no
// words for.
type call struct {
	counters *objstore.Counters
	fresh    bool // wants a new connection
}

type callKey struct{}

// tag makes the context of a request of b's.
func (b *Bucket) tag(ctx context.Context, fresh bool) context.Context {
	return context.WithValue(ctx, callKey{}, call{counters: &b.counters, fresh: fresh})
}
