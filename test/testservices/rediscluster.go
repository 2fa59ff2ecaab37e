package testservices

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// NewRedisCluster starts a Redis Cluster with the given number of masters for this test alone, and
// returns its URL, redis+cluster://127.0.0.1:PORT,…
func NewRedisCluster(t testing.TB, masters int, args ...string) string {
	t.Helper()
	const slots = 16384
	nodes := make([]*RedisServer, masters)
	clients := make([]*redis.Client, masters)
	var addrs []string
	for i := range nodes {
		bus, err := freeAddr()
		if err != nil {
			t.Fatal(err)
		}
		_, busPort, _ := net.SplitHostPort(bus)
		nodes[i] = NewRedis(t, append([]string{"--cluster-enabled", "yes", "--cluster-port", busPort}, args...)...)
		addrs = append(addrs, nodes[i].Addr)
		clients[i] = redis.NewClient(&redis.Options{Addr: nodes[i].Addr})
		defer func() { _ = clients[i].Close() }() // it only reads
		if err := clients[i].ClusterAddSlotsRange(t.Context(), i*slots/masters, (i+1)*slots/masters-1).Err(); err != nil {
			t.Fatal(err)
		}
		host, port, _ := net.SplitHostPort(nodes[i].Addr)
		if err := clients[0].Do(t.Context(), "cluster", "meet", host, port, busPort).Err(); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(readyDeadline)
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for i := 0; i < masters; {
		info, err := clients[i].ClusterInfo(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(info, "cluster_state:ok") {
			i++
			continue
		}
		if time.Now().After(deadline) {
			t.Fatalf("the cluster does not serve after %v: %s", readyDeadline, info)
		}
		<-tick.C
	}
	return "redis+cluster://" + strings.Join(addrs, ",")
}
