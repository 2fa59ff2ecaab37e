// Bucketmill runs MapReduce jobs on object storage. See README.md, or "bucketmill help".
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/executor/program/process"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == launchCommand {
		process.Launch(os.Args[2:])
	}
	if err := shield(); err != nil {
		fmt.Fprintf(os.Stderr, "bucketmill: %v\n", err)
		os.Exit(exitCode(err))
	}
	redis.SetLogger(silence{}) // errors of Redis are returned
	// If the reader of the output leaves (head, less), writes must fail without ending the process,
	// which has to clean up. The signal is caught, not ignored, since programs would inherit an
	// ignored one.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// The first signal tells the command to stop and clean up; the second ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// silence discards the log of the Redis client.
type silence struct{}

// Printf does nothing.
func (silence) Printf(context.Context, string, ...any) {}
