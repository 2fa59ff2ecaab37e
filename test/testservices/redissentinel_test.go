package testservices

import (
	"context"
	"testing"
)

func TestSentinelsReplaceADeadPrimary(t *testing.T) {
	for _, sentinels := range []int{1, 3} {
		s := NewRedisSentinel(t, sentinels)
		before := s.Primary(t)
		before.Kill(t)
		s.await(t, "another primary", func(ctx context.Context) bool { return s.primary(ctx, t) != before })
	}
}
