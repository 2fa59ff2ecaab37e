package testservices

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	sentinelMaster = "bucketmill"
	// sentinelPatience is how long a primary must be silent before its sentinels declare it dead:
	// long enough for a busy machine.
	sentinelPatience = time.Second
)

// RedisSentinel is a real Redis with a replica, and sentinels that make the replica primary
// when the primary dies.
type RedisSentinel struct {
	URL       string // redis+sentinel://127.0.0.1:PORT,…/MASTER
	nodes     []*RedisServer
	sentinels []*RedisServer
}

// NewRedisSentinel starts a primary, a replica, and the given number of sentinels for this test
// alone. It returns when they know each other. The primary and the replica get the arguments, as in
// [NewRedis].
func NewRedisSentinel(t testing.TB, sentinels int, args ...string) *RedisSentinel {
	t.Helper()
	primary := NewRedis(t, args...)
	host, port, _ := net.SplitHostPort(primary.Addr)
	// The replica gets its data at once, not after the five seconds in which other replicas may
	// join.
	replica := NewRedis(t, append([]string{"--replicaof", host + " " + port, "--repl-diskless-sync-delay", "0"}, args...)...)
	s := &RedisSentinel{nodes: []*RedisServer{primary, replica}}
	s.await(t, "the replica follows", func(ctx context.Context) bool {
		return strings.Contains(replica.info(ctx), "master_link_status:up")
	})
	var addrs []string
	for range sentinels {
		sentinel := newSentinel(t, primary.Addr, sentinels/2+1)
		s.sentinels = append(s.sentinels, sentinel)
		addrs = append(addrs, sentinel.Addr)
	}
	s.URL = "redis+sentinel://" + strings.Join(addrs, ",") + "/" + sentinelMaster
	for _, sentinel := range s.sentinels {
		s.await(t, "the sentinels know each other and the replica", func(ctx context.Context) bool {
			master, err := askSentinel(ctx, sentinel)
			return err == nil && master["num-slaves"] == "1" && master["flags"] == "master" &&
				master["num-other-sentinels"] == fmt.Sprint(sentinels-1)
		})
	}
	return s
}

// newSentinel starts a sentinel, which keeps its state in its configuration file.
func newSentinel(t testing.TB, primary string, quorum int) *RedisServer {
	t.Helper()
	binary, err := findBinary("redis-server", "BUCKETMILL_REDIS_SERVER")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		name:  "redis-sentinel",
		ready: redisReady,
		command: func(addr, dir string) *exec.Cmd {
			return exec.Command(binary, filepath.Join(dir, "sentinel.conf"), "--sentinel")
		},
	}
	s.prepare = func(addr, dir string) error {
		host, port, _ := net.SplitHostPort(addr)
		masterHost, masterPort, _ := net.SplitHostPort(primary)
		return os.WriteFile(filepath.Join(dir, "sentinel.conf"), fmt.Appendf(nil, `bind %[1]s
port %[2]s
dir %[3]s
sentinel monitor %[4]s %[5]s %[6]s %[7]d
sentinel down-after-milliseconds %[4]s %[8]d
sentinel failover-timeout %[4]s 10000
`, host, port, dir, sentinelMaster, masterHost, masterPort, quorum, sentinelPatience.Milliseconds()), 0o600)
	}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return &RedisServer{server: s, URL: "redis://" + s.addr, Addr: s.addr}
}

// Primary returns the node that the sentinels name.
func (s *RedisSentinel) Primary(t testing.TB) *RedisServer {
	t.Helper()
	return s.primary(t.Context(), t)
}

func (s *RedisSentinel) primary(ctx context.Context, t testing.TB) *RedisServer {
	t.Helper()
	master, err := askSentinel(ctx, s.sentinels[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range s.nodes {
		if node.Addr == net.JoinHostPort(master["ip"], master["port"]) {
			return node
		}
	}
	t.Fatalf("the sentinels name %v", master)
	return nil
}

// await polls until ok.
func (s *RedisSentinel) await(t testing.TB, what string, ok func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyDeadline)
	defer cancel()
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for !ok(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not after %v", what, readyDeadline)
		case <-tick.C:
		}
	}
}

func askSentinel(ctx context.Context, s *RedisServer) (map[string]string, error) {
	client := redis.NewSentinelClient(&redis.Options{Addr: s.Addr})
	defer func() { _ = client.Close() }() // it only reads
	return client.Master(ctx, sentinelMaster).Result()
}

// info returns the answer to INFO, or "" on an error.
func (s *RedisServer) info(ctx context.Context) string {
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer func() { _ = client.Close() }() // it only reads
	return client.Info(ctx).Val()
}
