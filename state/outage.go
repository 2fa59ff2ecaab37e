package state

import (
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// IsOutage tells whether an error is about Redis itself or the way to it, and not about a job: it
// can't be reached, is full, loads its data, has become a replica. That may pass, and says nothing
// about whether the call was carried out.
func IsOutage(err error) bool {
	if isNetwork(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) {
		return true
	}
	for _, prefix := range []string{
		"LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "OOM", "MISCONF", "NOREPLICAS", "BUSY", "UNBLOCKED",
	} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}

// isNetwork tells whether an error comes from a connection. A system call's bare error number has the methods of
// one that does, and is what a file that can't be opened gives.
func isNetwork(err error) bool {
	var (
		network   net.Error
		number    syscall.Errno
		operation *net.OpError
	)
	return errors.As(err, &network) && (!errors.As(network, &number) || errors.As(err, &operation))
}
