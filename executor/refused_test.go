package executor_test

import (
	"errors"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/test/testservices"
)

// A submission that Redis refuses leaves no record on the store, or else the job would be restored
// from it when Redis has room again.
func TestRefusedSubmissionNeverStarts(t *testing.T) {
	t.Parallel()
	server := testservices.NewRedis(t)
	operator := redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() {
		if err := operator.Close(); err != nil {
			t.Error(err)
		}
	})
	c := newFolder(t)
	var err error
	if c.store, err = state.Connect(t.Context(), server.URL, state.DefaultNamespace); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.store.Close(); err != nil {
			t.Error(err)
		}
	})
	boss, err := controller.New(t.Context(), controller.Config{
		ID: "boss", Store: c.store, Open: c.open, Work: c.path("work"), Log: c.log, Durable: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	// With each setting Redis answers all writes with a different error.
	for _, refuse := range [][2][]string{
		{{"maxmemory", "1"}, {"maxmemory", "0"}},
		{{"min-replicas-to-write", "1"}, {"min-replicas-to-write", "0"}},
	} {
		id := job.NewID()
		if err := operator.ConfigSet(t.Context(), refuse[0][0], refuse[0][1]).Err(); err != nil {
			t.Fatal(err)
		}
		_, err := boss.Submit(t.Context(), id, c.spec(1))
		if !errors.Is(err, state.ErrNotSubmitted) || !state.IsOutage(err) {
			t.Errorf("%v: it is submitted with %v", refuse[0], err)
		}
		if left := c.files("work"); len(left) > 0 {
			t.Errorf("%v: left on the work store: %q", refuse[0], left)
		}
		if err := operator.ConfigSet(t.Context(), refuse[1][0], refuse[1][1]).Err(); err != nil {
			t.Fatal(err)
		}
		if known, err := c.store.Known(t.Context(), id); err != nil || known {
			t.Errorf("%v: the job is known: %t, %v", refuse[0], known, err)
		}
		if created, err := boss.Submit(t.Context(), id, c.spec(1)); err != nil || !created {
			t.Errorf("%v: submitted again: %t, %v", refuse[0], created, err)
		}
		if err := os.RemoveAll(c.path("work")); err != nil {
			t.Fatal(err)
		}
		if err := operator.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
