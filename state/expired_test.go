package state

import (
	"context"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/test/testservices"
)

func TestControllersAreCalledWhenALeaseEnds(t *testing.T) {
	t.Parallel()
	s := open(t, testservices.NewRedis(t, "--notify-keyspace-events", "Ex").Addr)
	listening, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.CallOnExpiry(listening)
	}()
	until(t, "somebody listens", func(ctx context.Context) bool {
		n, err := s.rdb.PubSubNumPat(ctx).Result()
		return err == nil && n == 1
	})
	must(t, s.rdb.Set(t.Context(), s.jobKey("j"), "not a lease", time.Millisecond).Err())
	must(t, s.rdb.Set(t.Context(), s.jobKey("other")+":lease:m0.1", "me", 20*time.Millisecond).Err())
	until(t, "a controller is called", func(ctx context.Context) bool {
		jobs, err := s.rdb.LRange(ctx, s.controlKey(), 0, -1).Result()
		return err == nil && len(jobs) == 1 && jobs[0] == "other"
	})
	stop()
	<-ended
}

func TestJobOfLease(t *testing.T) {
	s := New(nil, "bm")
	for key, want := range map[string]job.ID{
		s.jobKey("j") + ":lease:m0.1": "j", s.jobKey("j"): "", s.jobKey("j") + ":minder": "",
		"bm:executor:{x}": "", "other:{j}:lease:m0.1": "", "bm:{j": "",
	} {
		if got, ok := s.jobOfLease(key); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %t", key, got, ok)
		}
	}
}
