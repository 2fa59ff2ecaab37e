package state

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// IsOutage reports whether an error is about Redis itself or the connection to it, and not about a
// job: Redis cannot be reached, is full, is loading its data or has become a replica. That may
// pass, and does not say whether the call was carried out.
func IsOutage(err error) bool {
	if isNetwork(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) {
		return true
	}
	return OutageReply(err) != ""
}

// outages are the codes of Redis's errors that are about the server. Other codes are about the
// call.
var outages = []string{
	"LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "OOM", "MISCONF", "NOREPLICAS", "BUSY", "UNBLOCKED",
	"max number of clients", // its only code is ERR
}

// OutageReply returns what Redis reports about itself in an error for which IsOutage is true, for
// example that it is full. It is empty if Redis reports nothing because there is no connection.
func OutageReply(err error) string {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return ""
	}
	text := reply.Error()
	// Before Redis 7 the error of a call is wrapped in its script's: "ERR Error running script
	// (call to f_…): @user_script:2: -OOM command not allowed …".
	if strings.HasPrefix(text, "ERR Error running script") {
		if i := strings.LastIndex(text, ": -"); i >= 0 {
			text = text[i+len(": -"):]
		}
	}
	text = strings.TrimPrefix(text, "ERR ") // Kvrocks adds it to every error
	for _, code := range outages {
		if text == code || strings.HasPrefix(text, code+" ") {
			return text
		}
	}
	return ""
}

// isNetwork reports whether an error comes from a connection. A bare error number of a system call
// has the methods of such an error, but is what a file gives that cannot be opened.
func isNetwork(err error) bool {
	var (
		network   net.Error
		number    syscall.Errno
		operation *net.OpError
	)
	return errors.As(err, &network) && (!errors.As(network, &number) || errors.As(err, &operation))
}
