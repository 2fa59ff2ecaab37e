package executor_test

import (
	"context"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silence{}) // tests cut connections
	os.Exit(m.Run())
}

// silence discards the Redis client's own log.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
