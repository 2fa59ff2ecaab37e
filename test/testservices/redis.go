package testservices

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A RedisServer is a real Redis. By default it keeps nothing on disk. It refuses writes rather than
// evict keys.
type RedisServer struct {
	*server
	URL  string // redis://127.0.0.1:PORT/0
	Addr string // 127.0.0.1:PORT
}

var sharedRedis = sync.OnceValues(func() (*RedisServer, error) { return openRedis(true) })

// Redis returns the Redis that the tests of this binary share.
func Redis(t testing.TB) *RedisServer {
	t.Helper()
	s, err := sharedRedis()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// NewRedis starts a Redis for this test alone. The arguments are appended to the server's command
// line and override the defaults: with "--appendonly", "yes" writes survive a restart.
func NewRedis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	s, err := openRedis(false, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openRedis(shared bool, args ...string) (*RedisServer, error) {
	binary, err := findBinary("redis-server", "BUCKETMILL_REDIS_SERVER")
	if err != nil {
		return nil, err
	}
	s := &server{
		name:   "redis",
		shared: shared,
		ready:  redisReady,
		command: func(addr, dir string) *exec.Cmd {
			host, port, _ := net.SplitHostPort(addr)
			return exec.Command(binary, append([]string{
				"--bind", host, "--port", port, "--dir", dir,
				"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction",
			}, args...)...)
		},
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	return &RedisServer{server: s, URL: "redis://" + s.addr + "/0", Addr: s.addr}, nil
}

// redisReady reports whether the Redis at addr answers and is process pid. It speaks the protocol
// itself, because a client would retry and log each connection that a starting server refuses.
func redisReady(ctx context.Context, addr string, pid int) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	// INFO answers even while an append-only file is being loaded; PING does not.
	if _, err := io.WriteString(conn, "PING\r\nINFO server\r\n"); err != nil {
		return err
	}
	lines := bufio.NewScanner(conn)
	if lines.Scan(); lines.Text() != "+PONG" {
		return errors.Join(fmt.Errorf("ping: %s", lines.Text()), lines.Err())
	}
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "process_id:"); ok {
			if id != strconv.Itoa(pid) {
				return fmt.Errorf("another Redis listens on %s", addr)
			}
			return nil
		}
	}
	return cmp.Or(lines.Err(), io.ErrUnexpectedEOF)
}
