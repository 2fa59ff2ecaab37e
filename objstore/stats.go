package objstore

import "sync/atomic"

// Stats counts the requests of a bucket since it was opened, as the store sees and bills them: a
// retried or hedged request counts each time it is sent, even if nobody waited for the answer.
type Stats struct {
	Gets    int64 // of objects or ranges of objects
	Heads   int64
	Puts    int64 // of objects and upload parts; requests that begin or complete an upload
	Lists   int64 // pages, of objects or uploads
	Deletes int64 // requests: each deletes up to 1,000 objects, or aborts one upload

	Retries int64 // attempts after the first, whatever the reason
	Hedges  int64 // those of Gets that were sent because another was slow

	BytesRead    int64 // of objects, as far as callers received them
	BytesWritten int64 // of request bodies
}

// Counters are the live counts behind a driver's Stats. They are safe for concurrent use.
type Counters struct {
	Gets, Heads, Puts, Lists, Deletes atomic.Int64
	Retries, Hedges                   atomic.Int64
	BytesRead, BytesWritten           atomic.Int64
}

// Stats returns the current counts.
func (c *Counters) Stats() Stats {
	return Stats{
		Gets: c.Gets.Load(), Heads: c.Heads.Load(), Puts: c.Puts.Load(), Lists: c.Lists.Load(), Deletes: c.Deletes.Load(),
		Retries: c.Retries.Load(), Hedges: c.Hedges.Load(),
		BytesRead: c.BytesRead.Load(), BytesWritten: c.BytesWritten.Load(),
	}
}

// A Meter is a Bucket that counts its requests. All drivers are Meters; the driver for folders
// counts the requests that the same calls would send to S3.
type Meter interface {
	Stats() Stats
}

// Plus returns the sum of s and o.
func (s Stats) Plus(o Stats) Stats {
	return Stats{
		Gets: s.Gets + o.Gets, Heads: s.Heads + o.Heads, Puts: s.Puts + o.Puts, Lists: s.Lists + o.Lists, Deletes: s.Deletes + o.Deletes,
		Retries: s.Retries + o.Retries, Hedges: s.Hedges + o.Hedges,
		BytesRead: s.BytesRead + o.BytesRead, BytesWritten: s.BytesWritten + o.BytesWritten,
	}
}
