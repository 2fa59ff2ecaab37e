package file

import "github.com/bucketmill/bucketmill/objstore"

// What a request to S3 holds at most, to count what a folder is asked as if it were a bucket there.
const (
	listPage    = 1000
	deleteBatch = 1000
)

// counters has words for what S3 would be asked.
type counters struct{ objstore.Counters }

// Stats implements [objstore.Meter]. A folder gets no requests: these are those that S3 would get for
// the same calls, if none failed.
func (b *Bucket) Stats() objstore.Stats { return b.counters.Stats() }

// listed notes that the n-th object of a listing, from 0, is asked for.
func (c *counters) listed(n int) {
	if n%listPage == 0 {
		c.Lists.Add(1)
	}
}

// deleted notes a call to delete n objects.
func (c *counters) deleted(n int) { c.Deletes.Add(int64((n + deleteBatch - 1) / deleteBatch)) }

// wrote notes one request that writes so many bytes.
func (c *counters) wrote(bytes int64) {
	c.Puts.Add(1)
	c.BytesWritten.Add(bytes)
}

// sealed notes an upload of so many bytes, but for its completion.
func (b *Bucket) sealed(bytes int64) {
	b.counters.Puts.Add(1 + b.Parts.Count(bytes))
	b.counters.BytesWritten.Add(bytes)
}
