package state

import (
	"context"
	"strings"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// CallOnExpiry calls controllers to a job whenever one of its leases expires, until ctx ends, if
// the server publishes expired keys (notify-keyspace-events Ex) and is a single one. This only
// hastens the sweep, which happens in any case: such messages may be lost, and Redis may expire a
// key late.
func (s *Store) CallOnExpiry(ctx context.Context) {
	client, ok := s.rdb.(*redis.Client)
	if !ok {
		return
	}
	told := client.PSubscribe(ctx, "__keyevent@*__:expired")
	defer func() { _ = told.Close() }() // it only reads
	messages := told.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case m, open := <-messages:
			if !open {
				return
			}
			if id, ok := s.jobOfLease(m.Payload); ok {
				_ = s.callController(ctx, id) // a hint
			}
		}
	}
}

// jobOfLease returns the job of a lease key; false for any other key.
func (s *Store) jobOfLease(key string) (job.ID, bool) {
	rest, ok := strings.CutPrefix(key, s.namespace+":{")
	id, after, found := strings.Cut(rest, "}")
	return job.ID(id), ok && found && strings.HasPrefix(after, ":lease:")
}
