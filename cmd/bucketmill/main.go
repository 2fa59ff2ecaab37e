// Bucketmill is MapReduce straight on object storage. See README.md, or "bucketmill help".
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/executor/program"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == launchCommand {
		program.Launch(os.Args[2:])
	}
	if err := shield(); err != nil {
		fmt.Fprintf(os.Stderr, "bucketmill: %v\n", err)
		os.Exit(exitCode(err))
	}
	redis.SetLogger(silence{}) // what goes wrong with Redis comes back as an error
	// A reader that leaves (head, less) must not keep us from cleaning up: writes fail instead. Unlike
	// signals that are ignored, those that are caught are not inherited by programs.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// The first signal asks the command to stop and clean up; the second ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// silence drops the Redis client's own log.
type silence struct{}

// Printf does nothing.
func (silence) Printf(context.Context, string, ...any) {}
