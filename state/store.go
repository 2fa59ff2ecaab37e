package state

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNoJob: there is no such job (or no longer).
	ErrNoJob = errors.New("no such job")
	// ErrStale: the attempt is not, or no longer, the caller's. Whatever it did is void.
	ErrStale = errors.New("attempt was given away or has ended")
	// ErrIllegal: the job's phase does not allow the transition.
	ErrIllegal = errors.New("job is not in the phase for that")
	// ErrExists: a job of the same id but with another spec exists.
	ErrExists = errors.New("another job has that id")
	// ErrInvalid: an argument breaks the rules, whatever the state.
	ErrInvalid = errors.New("not allowed")
)

// Store is the state in one Redis (or Valkey, or Redis Cluster), under one namespace.
// It is safe for concurrent use.
type Store struct {
	rdb       redis.UniversalClient
	namespace string
	waits     sync.WaitGroup // blocking calls whose callers may have left
}

// DefaultNamespace is the prefix of all keys unless another is asked for.
const DefaultNamespace = "bm"

// New returns the state kept in rdb under namespace. The caller closes rdb.
func New(rdb redis.UniversalClient, namespace string) *Store {
	return &Store{rdb: rdb, namespace: namespace}
}

// Connect opens the Redis at a URL (redis://[user:password@]host:port/db, rediss:// for TLS,
// unix://) and asks it once. The caller closes the client, which it gets through Close.
func Connect(ctx context.Context, url, namespace string) (*Store, error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("read redis url: %w", err)
	}
	opts.MaxRetries = 5
	opts.ContextTimeoutEnabled = true
	rdb := redis.NewClient(opts)
	if err := rdb.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("reach redis at %s: %w", opts.Addr, err), rdb.Close())
	}
	return New(rdb, namespace), nil
}

// Close closes the connection to Redis and waits for calls that were left behind.
func (s *Store) Close() error {
	err := s.rdb.Close()
	s.waits.Wait()
	return err
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0 // only fields that are not set yet
	}
	return n
}

// Drop removes jobs with all their history, and what the namespace has beside jobs. Nobody may
// be at work in the namespace any more.
func (s *Store) Drop(ctx context.Context, jobs ...JobID) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, id := range jobs {
			p.Del(ctx, s.jobKeys(id)...)
			p.Del(ctx, s.minderKey(id))
		}
		for _, key := range []string{s.jobsKey(), s.activeKey(), s.readyKey(), s.wakeKey(), s.controlKey(), s.executorsKey()} {
			p.Del(ctx, key)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("drop namespace %s: %w", s.namespace, err)
	}
	return nil
}
