package state

import (
	"context"
	"crypto/rand"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/test/testservices"
)

func TestKeysOfAJobAreInOneSlot(t *testing.T) {
	s := New(nil, DefaultNamespace)
	const tag = "{job-1_A}"
	for _, key := range append(s.jobKeys("job-1_A"), s.holderKey("job-1_A"), s.samplerKey("job-1_A")) {
		// Redis hashes the text between the first brace and the next closing one.
		if first, last := strings.IndexByte(key, '{'), strings.IndexByte(key, '}'); first < 0 || last < first || key[first:last+1] != tag {
			t.Errorf("%s does not hash by %s", key, tag)
		}
	}
}

// A cluster of one node checks the slots of every call, like a large one.
func TestJobOnACluster(t *testing.T) {
	t.Parallel()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_, bus, err := net.SplitHostPort(port.Addr().String())
	must(t, err)
	must(t, port.Close())
	server := testservices.NewRedis(t, "--cluster-enabled", "yes", "--cluster-port", bus)
	node := redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() { must(t, node.Close()) })
	must(t, node.ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	until(t, "the cluster serves", func(ctx context.Context) bool {
		info, err := node.ClusterInfo(ctx).Result()
		must(t, err)
		return strings.Contains(info, "cluster_state:ok")
	})
	s := New(redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr}}), "test-"+rand.Text())
	t.Cleanup(func() { must(t, s.Close()) })

	for _, id := range []job.ID{"one", "two", "three"} {
		wholeLife(t, s, id)
	}
	if history, err := s.History(t.Context(), 0, 10); err != nil || len(history) != 0 {
		t.Errorf("history %v, %v", history, err)
	}
	if active, err := s.Active(t.Context()); err != nil || len(active) != 0 {
		t.Errorf("active %v, %v", active, err)
	}

	var beats []Beat
	for _, id := range []job.ID{"four", "five", "six"} {
		started(t, s, id, 1, 0)
		beats = append(beats, Beat{Attempt: claim(t, s, "me", 1)[0]})
	}
	must(t, s.rdb.ScriptFlush(t.Context()).Err())
	lost, _, err := s.Renew(t.Context(), "me", lease, beats)
	if err != nil || len(lost) > 0 {
		t.Fatalf("lost %v, %v", lost, err)
	}
	holder, err := s.LockOutput(t.Context(), "s3://bucket/out/", "four")
	if err != nil || holder != "four" {
		t.Errorf("holder %v, %v", holder, err)
	}
}

// wholeLife takes a job through every script.
func wholeLife(t *testing.T, s *Store, id job.ID) {
	t.Helper()
	started(t, s, id, 2, 1)
	attempts := claim(t, s, "me", 2)
	slots := map[int64]bool{}
	for _, key := range append(s.jobKeys(id), s.jobKey(id)+":lease:"+attempts[0].Name()) {
		slot, err := s.rdb.ClusterKeySlot(t.Context(), key).Result()
		must(t, err)
		slots[slot] = true
	}
	if len(slots) != 1 {
		t.Errorf("keys of %s are in slots %v", id, slots)
	}
	must(t, s.Fail(t.Context(), attempts[0], "me", job.Failure{Class: job.ClassReleased}, Limits{}))
	commit(t, s, "me", attempts[1])
	expire(t, s, claim(t, s, "me", 1)[0])
	if swept, err := s.Sweep(t.Context(), id, Limits{}); err != nil || swept.Lost != 1 {
		t.Fatalf("swept %+v, %v", swept, err)
	}
	must(t, s.Backup(t.Context(), claim(t, s, "me", 1)[0]))
	commit(t, s, "another", claim(t, s, "another", 1)...)
	reduce := claim(t, s, "me", 1)[0]
	must(t, s.LoseSegment(t.Context(), reduce, "me", attempts[1], job.Failure{Message: "gone"}, Limits{}))
	commit(t, s, "me", claim(t, s, "me", 1)...)
	commit(t, s, "me", claim(t, s, "me", 1)...)
	inPhase(t, s, id, job.PhasePublish)
	must(t, s.Finish(t.Context(), id, AnyStage))
	must(t, s.Forget(t.Context(), id, AnyStage, 0))
}
