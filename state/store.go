package state

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bucketmill/bucketmill/job"
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
	// ErrNotSubmitted: whatever else went wrong, no job came of the submission, and none will.
	ErrNotSubmitted = errors.New("the job was not submitted")
	// ErrInvalid: an argument breaks the rules, whatever the state.
	ErrInvalid = errors.New("not allowed")
)

// Store is the state in one Redis (or Valkey, or Redis Cluster), under one namespace.
// It is safe for concurrent use.
type Store struct {
	rdb       redis.UniversalClient
	namespace string
	waits     sync.WaitGroup  // blocking calls whose callers may have left
	closing   context.Context // of these calls: done once Close begins, so that none is tried again
	stop      context.CancelFunc
	woken     atomic.Bool // WaitWork took a token that no claim has passed on yet
}

// DefaultNamespace is the prefix of all keys unless another is asked for.
const DefaultNamespace = "bm"

// New returns the state kept in rdb under namespace. The caller closes rdb.
func New(rdb redis.UniversalClient, namespace string) *Store {
	s := &Store{rdb: rdb, namespace: namespace}
	s.closing, s.stop = context.WithCancel(context.Background())
	return s
}

// Namespace is the prefix of all keys.
func (s *Store) Namespace() string { return s.namespace }

// Now returns the time by Redis's clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	now, err := s.rdb.Time(ctx).Result()
	if err != nil {
		return now, fmt.Errorf("ask for the time: %w", err)
	}
	return now, nil
}

// Alive tells whether this Redis has the state that was kept in it since SetAlive: false for a
// new one, and one that has lost its data.
func (s *Store) Alive(ctx context.Context) (bool, error) {
	n, err := s.rdb.Exists(ctx, s.aliveKey()).Result()
	if err != nil {
		return false, fmt.Errorf("look whether the state is there: %w", err)
	}
	return n > 0, nil
}

// SetAlive says that all that is known of jobs is in this Redis.
func (s *Store) SetAlive(ctx context.Context) error {
	if err := s.rdb.Set(ctx, s.aliveKey(), time.Now().UTC().Format(time.RFC3339), 0).Err(); err != nil {
		return fmt.Errorf("note that the state is there: %w", err)
	}
	return nil
}

// Known tells whether there is a record of a job.
func (s *Store) Known(ctx context.Context, id job.ID) (bool, error) {
	n, err := s.rdb.Exists(ctx, s.jobKey(id)).Result()
	if err != nil {
		return false, fmt.Errorf("look for job %s: %w", id, err)
	}
	return n > 0, nil
}

// Close closes the connection to Redis and waits for calls that were left behind.
func (s *Store) Close() error {
	s.stop()
	err := s.rdb.Close()
	s.waits.Wait()
	return err
}

// Drop removes jobs with all their history, and what the namespace has beside jobs. Nobody may
// be at work in the namespace any more.
func (s *Store) Drop(ctx context.Context, jobs ...job.ID) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, id := range jobs {
			p.Del(ctx, s.jobKeys(id)...)
			p.Del(ctx, s.minderKey(id), s.samplerKey(id))
		}
		for _, key := range []string{s.jobsKey(), s.activeKey(), s.readyKey(), s.wakeKey(), s.controlKey(), s.newsKey(), s.aliveKey(), s.executorsKey(), s.outputsKey()} {
			p.Del(ctx, key)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("drop namespace %s: %w", s.namespace, err)
	}
	return nil
}
