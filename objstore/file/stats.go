package file

import (
	"sync/atomic"

	"github.com/bucketmill/bucketmill/objstore"
)

// What a request to S3 holds at most, to count what a folder is asked as if it were a bucket there.
const (
	listPage    = 1000
	deleteBatch = 1000
)

// counters is what a bucket's Stats are made of.
type counters struct {
	gets, heads, puts, lists, deletes atomic.Int64
	read, written                     atomic.Int64
}

// Stats implements [objstore.Meter]. A folder gets no requests: these are those that S3 would get for
// the same calls, if none failed.
func (b *Bucket) Stats() objstore.Stats {
	c := &b.counters
	return objstore.Stats{
		Gets: c.gets.Load(), Heads: c.heads.Load(), Puts: c.puts.Load(), Lists: c.lists.Load(), Deletes: c.deletes.Load(),
		BytesRead: c.read.Load(), BytesWritten: c.written.Load(),
	}
}

// listed notes that the n-th object of a listing, from 0, is asked for.
func (c *counters) listed(n int) {
	if n%listPage == 0 {
		c.lists.Add(1)
	}
}

// deleted notes a call to delete n objects.
func (c *counters) deleted(n int) { c.deletes.Add(int64((n + deleteBatch - 1) / deleteBatch)) }

// wrote notes one request that writes so many bytes.
func (c *counters) wrote(bytes int64) {
	c.puts.Add(1)
	c.written.Add(bytes)
}

// sealed notes an upload of so many bytes, but for its completion.
func (b *Bucket) sealed(bytes int64) {
	b.puts.Add(1 + b.Parts.Count(bytes))
	b.written.Add(bytes)
}
