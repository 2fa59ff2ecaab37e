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
		"full":                  {fmt.Errorf("submit: %w", said("OOM command not allowed when used memory > 'maxmemory'.")), true},
		"full, in a script": {said("ERR Error running script (call to f_6b1bf486): @user_script:1: @user_script: 1: " +
			"-OOM command not allowed when used memory > 'maxmemory'."), true},
		"full, says Kvrocks":      {said("ERR OOM command not allowed"), true},
		"loads":                   {said("LOADING Redis is loading the dataset in memory"), true},
		"a replica":               {said("READONLY You can't write against a read only replica. script: 6b1b, on @user_script:3."), true},
		"can't save":              {said("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."), true},
		"too few replicas":        {said("NOREPLICAS Not enough good replicas to write."), true},
		"a cluster's part is out": {said("CLUSTERDOWN The cluster is down"), true},
		"a slot moves":            {said("TRYAGAIN Multiple keys request during rehashing of slot"), true},
		"its primary is out":      {said("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."), true},
		"a script runs":           {said("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."), true},
		"a waiter is let go":      {said("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"), true},
		"too many clients":        {said("ERR max number of clients reached"), true},
		"a defect of a script":    {said("ERR Error running script (call to f_6b1b): @user_script:7: attempt to index a nil value"), false},
		"a wrong type":            {said("WRONGTYPE Operation against a key holding the wrong kind of value"), false},
		"no password":             {said("NOAUTH Authentication required."), false},
		"nothing there":           {redis.Nil, false},
	} {
		if reply := OutageReply(test.err); reply != "" && !test.want {
			t.Errorf("%s: %q is told for %v", name, reply, test.err)
		}
		if got := IsOutage(test.err); got != test.want {
			t.Errorf("%s: %t for %v", name, got, test.err)
		}
	}
}

// said is an error that Redis replies with.
type said string

func (e said) Error() string { return string(e) }
func (e said) RedisError()   {}
