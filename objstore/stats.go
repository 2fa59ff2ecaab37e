package objstore

import "sync/atomic"

// Stats counts what a bucket has asked of its store since it was opened. Requests are counted as
// the store sees, and bills, them: repeated and hedged ones as often as they were sent, also where
// the answer was not waited for.
type Stats struct {
	Gets    int64 // of objects or ranges of them
	Heads   int64
	Puts    int64 // of objects and parts; the requests that begin and complete uploads, too
	Lists   int64 // pages, of objects or uploads
	Deletes int64 // of objects, up to 1,000 by each; of uploads, one by each

	Retries int64 // attempts after the first, for whatever reason
	Hedges  int64 // of the Gets: sent because another was slow

	BytesRead    int64 // of objects, as far as they were handed on
	BytesWritten int64 // of requests' bodies
}

// Counters are what a driver makes its Stats of. Any goroutine may count.
type Counters struct {
	Gets, Heads, Puts, Lists, Deletes atomic.Int64
	Retries, Hedges                   atomic.Int64
	BytesRead, BytesWritten           atomic.Int64
}

// Stats are the counts as they are now.
func (c *Counters) Stats() Stats {
	return Stats{
		Gets: c.Gets.Load(), Heads: c.Heads.Load(), Puts: c.Puts.Load(), Lists: c.Lists.Load(), Deletes: c.Deletes.Load(),
		Retries: c.Retries.Load(), Hedges: c.Hedges.Load(),
		BytesRead: c.BytesRead.Load(), BytesWritten: c.BytesWritten.Load(),
	}
}

// A Meter is a Bucket that keeps count. All drivers are Meters; that of folders counts what S3 would
// have been asked.
type Meter interface {
	Stats() Stats
}

// Plus adds up.
func (s Stats) Plus(o Stats) Stats {
	return Stats{
		Gets: s.Gets + o.Gets, Heads: s.Heads + o.Heads, Puts: s.Puts + o.Puts, Lists: s.Lists + o.Lists, Deletes: s.Deletes + o.Deletes,
		Retries: s.Retries + o.Retries, Hedges: s.Hedges + o.Hedges,
		BytesRead: s.BytesRead + o.BytesRead, BytesWritten: s.BytesWritten + o.BytesWritten,
	}
}
