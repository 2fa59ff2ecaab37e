package file

import "github.com/bucketmill/bucketmill/objstore"

// The most keys in a request to S3, so that a folder counts what a bucket on S3 would count.
const (
	listPage    = 1000
	deleteBatch = 1000
)

// counters count the requests that S3 would get.
type counters struct{ objstore.Counters }

// Stats implements [objstore.Meter]. A folder gets no requests: these are the requests that S3
// would get for the same calls, if none failed.
func (b *Bucket) Stats() objstore.Stats { return b.counters.Stats() }

// countListed counts the n-th object of a listing, from 0.
func (c *counters) countListed(n int) {
	if n%listPage == 0 {
		c.Lists.Add(1)
	}
}

// countDelete counts a call that deletes n objects.
func (c *counters) countDelete(n int) { c.Deletes.Add(int64((n + deleteBatch - 1) / deleteBatch)) }

// countPut counts one request with a body of this size.
func (c *counters) countPut(bytes int64) {
	c.Puts.Add(1)
	c.BytesWritten.Add(bytes)
}

// countUpload counts an upload of this size, without its completion.
func (b *Bucket) countUpload(bytes int64) {
	b.counters.Puts.Add(1 + b.Parts.Count(bytes))
	b.counters.BytesWritten.Add(bytes)
}
