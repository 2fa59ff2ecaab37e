package embedded

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func start(t *testing.T) *redis.Client {
	t.Helper()
	e, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	opts, err := redis.ParseURL(e.URL())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(opts)
	t.Cleanup(func() { _ = client.Close() }) // tests close it, too
	return client
}

func TestKeysExpireByThemselves(t *testing.T) {
	client := start(t)
	begun := time.Now()
	if err := client.Set(t.Context(), "lease", "me", 200*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for client.Exists(ctx, "lease").Val() == 1 {
	}
	if lived := time.Since(begun); ctx.Err() != nil || lived < 200*time.Millisecond-tick {
		t.Fatalf("the key lived for %v", lived)
	}
}

// Every user of the machine can connect to the port, but only its owner knows the password.
func TestOthersAreRefused(t *testing.T) {
	e, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	other, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	for what, opts := range map[string]*redis.Options{
		"no password":            {Addr: e.Addr()},
		"no password, old hello": {Addr: e.Addr(), Protocol: 2},
		"an empty password":      {Addr: e.Addr(), Username: "default"},
		"another's password":     {Addr: e.Addr(), Password: other.password},
	} {
		opts.MaxRetries = -1
		client := redis.NewClient(opts)
		for _, command := range [][]any{{"ping"}, {"hset", "job", "phase", "plan"}, {"eval", "return 1", 0}, {"subscribe", "news"}} {
			if err := client.Do(t.Context(), command...).Err(); err == nil || errors.Is(err, redis.Nil) {
				t.Errorf("%s: %v is allowed: %v", what, command, err)
			}
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The Lua that the scripts of package state need, beyond what their own tests run.
func TestLua(t *testing.T) {
	client := start(t)
	got, err := client.Eval(t.Context(), `
local t = redis.call('TIME')
local ms = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local failure = cjson.decode(cjson.encode({at = ms, message = 'a "b" ü'}))
return {string.format('%.0f', ms), string.format('%.0f', failure.at), failure.message, string.match('me 12 0', '^(%S+) ')}`, nil).StringSlice()
	if err != nil {
		t.Fatal(err)
	}
	if got[0] != got[1] || got[2] != `a "b" ü` || got[3] != "me" {
		t.Fatalf("got %q", got)
	}
	server, err := client.Time(t.Context()).Result()
	if err != nil || time.Since(server).Abs() > time.Minute {
		t.Fatalf("its clock shows %v, %v", server, err)
	}
}

func TestBlockedReadersWake(t *testing.T) {
	client := start(t)
	done := make(chan error, 2)
	go func() { done <- client.BLPop(t.Context(), 10*time.Second, "list").Err() }()
	go func() {
		done <- client.XRead(t.Context(), &redis.XReadArgs{Streams: []string{"stream", "0"}, Block: 10 * time.Second}).Err()
	}()
	begun := time.Now()
	if err := client.Eval(t.Context(), `
redis.call('RPUSH', 'list', '1')
redis.call('XADD', 'stream', 'MAXLEN', '~', '1000', '*', 'kind', 'x')`, nil).Err(); err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("woke after %v", took)
	}
}

func TestCloseEndsWaits(t *testing.T) {
	e, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	opts, err := redis.ParseURL(e.URL())
	if err != nil {
		t.Fatal(err)
	}
	opts.MaxRetries = -1
	client := redis.NewClient(opts)
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() { waiting <- client.BLPop(t.Context(), time.Minute, "list").Err() }()
	e.Close()
	e.Close()
	if err := <-waiting; err == nil {
		t.Error("a wait on a closed server succeeded")
	}
	if conn, err := net.Dial("tcp", e.Addr()); err == nil {
		t.Error("a closed server answers", conn.Close())
	}
}
