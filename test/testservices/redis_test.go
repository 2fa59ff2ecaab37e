package testservices

import (
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestRedisIsShared(t *testing.T) {
	a, b := Redis(t), Redis(t)
	if a != b {
		t.Fatalf("two servers, %s and %s", a.URL, b.URL)
	}
	opts, err := redis.ParseURL(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(opts)
	defer client.Close()
	policy, err := client.ConfigGet(t.Context(), "maxmemory-policy").Result()
	if err != nil || policy["maxmemory-policy"] != "noeviction" {
		t.Fatalf("policy %v, %v", policy, err)
	}
}

func TestRedisRestart(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		kept bool
	}{
		"forgets by default":                 {nil, false},
		"remembers with an append-only file": {[]string{"--appendonly", "yes", "--appendfsync", "always"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := NewRedis(t, test.args...)
			client := redis.NewClient(&redis.Options{Addr: server.Addr, MaxRetries: -1})
			defer client.Close()
			if err := client.Set(t.Context(), "key", "value", 0).Err(); err != nil {
				t.Fatal(err)
			}
			server.Kill(t)
			if err := client.Ping(t.Context()).Err(); err == nil {
				t.Fatal("a killed server answers")
			}
			server.Restart(t)
			value, err := client.Get(t.Context(), "key").Result()
			if test.kept && value != "value" || !test.kept && !errors.Is(err, redis.Nil) {
				t.Fatalf("after a restart: %q, %v", value, err)
			}
		})
	}
}

func TestRedisThatExitsSaysWhy(t *testing.T) {
	_, err := openRedis(false, "--no-such-directive", "1")
	if !errors.Is(err, errExited) {
		t.Fatalf("got %v", err)
	}
}
