package state

import (
	"errors"
	"io"
	"net"
	"strings"
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
	return OutageReply(err) != ""
}

// outages are the codes of Redis's errors that are about the server. Others are about the call.
var outages = []string{
	"LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "OOM", "MISCONF", "NOREPLICAS", "BUSY", "UNBLOCKED",
	"max number of clients", // which has no code but ERR
}

// OutageReply is what Redis says of itself in an error that IsOutage takes for an outage: that it is full, say. It
// is empty if Redis says nothing, for want of a connection.
func OutageReply(err error) string {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return ""
	}
	text := reply.Error()
	// Before Redis 7 the error of a call is wrapped in that of its script: "ERR Error running script (call to
	// f_…): @user_script:2: -OOM command not allowed …".
	if strings.HasPrefix(text, "ERR Error running script") {
		if i := strings.LastIndex(text, ": -"); i >= 0 {
			text = text[i+len(": -"):]
		}
	}
	text = strings.TrimPrefix(text, "ERR ") // Kvrocks puts that before each
	for _, code := range outages {
		if text == code || strings.HasPrefix(text, code+" ") {
			return text
		}
	}
	return ""
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
