package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestIsOutage(t *testing.T) {
	t.Parallel()
	nobody := New(redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1}), "test")
	t.Cleanup(func() {
		if err := nobody.Close(); err != nil {
			t.Error(err)
		}
	})
	_, refused := nobody.Job(t.Context(), "j")
	_, missing := os.Open("/nowhere/at/all")
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"nobody listens":        {refused, true},
		"connection reset":      {fmt.Errorf("renew: %w", &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}), true},
		"both a file and Redis": {errors.Join(missing, refused), true},
		"deadline":              {fmt.Errorf("renew: %w", context.DeadlineExceeded), true},
		"a file is missing":     {fmt.Errorf("publish: %w", missing), false},
		"may not write":         {&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, false},
		"disk is full":          {fmt.Errorf("write: %w", syscall.ENOSPC), false},
		"no such job":           {ErrNoJob, false},
	} {
		if got := IsOutage(test.err); got != test.want {
			t.Errorf("%s: %t for %v", name, got, test.err)
		}
	}
}
