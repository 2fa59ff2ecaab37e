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
	var network net.Error
	if errors.As(err, &network) {
		// A system call's error has the methods of a network's whatever it is about: a file, say. What
		// comes over a connection is wrapped in one of package net.
		_, bare := network.(syscall.Errno)
		return !bare
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
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
