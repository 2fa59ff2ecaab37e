package state

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestOutageIsOfTheNetwork(t *testing.T) {
	_, refused := net.DialTimeout("tcp", "127.0.0.1:1", time.Second)
	_, missing := os.Open("missing")
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{refused, true},
		{fmt.Errorf("claim: %w", refused), true},
		{context.DeadlineExceeded, true},
		{missing, false},
		{&fs.PathError{Op: "stat", Path: "loop", Err: syscall.ELOOP}, false},
		{os.NewSyscallError("prlimit", syscall.EPERM), false},
		{ErrIllegal, false},
	} {
		if got := IsOutage(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
