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

// Errors that callers distinguish with errors.Is.
var (
	// ErrNoJob: the job does not exist, or no longer.
	ErrNoJob = errors.New("no such job")
	// ErrStale: the attempt is not, or no longer, the caller's. Everything that it did is void.
	ErrStale = errors.New("attempt was reassigned or has ended")
	// ErrIllegal: the job's phase does not allow the transition.
	ErrIllegal = errors.New("not allowed in the job's phase")
	// ErrExists: a job with the same id but another spec exists.
	ErrExists = errors.New("another job has that id")
	// ErrNotSubmitted: the submission has certainly created no job, and will create none.
	ErrNotSubmitted = errors.New("the job was not submitted")
	// ErrInvalid: an argument is invalid in every state.
	ErrInvalid = errors.New("invalid argument")
)

// Store is the state in one Redis (or Valkey, or Redis Cluster), under one namespace.
// It is safe for concurrent use.
type Store struct {
	rdb       redis.UniversalClient
	namespace string
	waits     sync.WaitGroup  // blocking calls, whose callers may have left
	closing   context.Context // the context of these calls: ends when Close begins, so that none is retried
	stop      context.CancelFunc
	woken     atomic.Bool // WaitWork has taken a token that no claim has passed on yet
}

// DefaultNamespace is the default prefix of all keys.
const DefaultNamespace = "bm"

// New returns the state kept in rdb under namespace. The caller closes rdb.
func New(rdb redis.UniversalClient, namespace string) *Store {
	s := &Store{rdb: rdb, namespace: namespace}
	s.closing, s.stop = context.WithCancel(context.Background())
	return s
}

// Namespace returns the prefix of all keys.
func (s *Store) Namespace() string { return s.namespace }

// Now returns the time of Redis's clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	now, err := s.rdb.Time(ctx).Result()
	if err != nil {
		return now, fmt.Errorf("read Redis's clock: %w", err)
	}
	return now, nil
}

// Alive reports whether this Redis still has the state that it had at SetAlive: false for a new
// Redis, and for one that has lost its data.
func (s *Store) Alive(ctx context.Context) (bool, error) {
	n, err := s.rdb.Exists(ctx, s.aliveKey()).Result()
	if err != nil {
		return false, fmt.Errorf("read whether the state is there: %w", err)
	}
	return n > 0, nil
}

// SetAlive records that this Redis has everything that is known about jobs.
func (s *Store) SetAlive(ctx context.Context) error {
	if err := s.rdb.Set(ctx, s.aliveKey(), time.Now().UTC().Format(time.RFC3339), 0).Err(); err != nil {
		return fmt.Errorf("record that the state is there: %w", err)
	}
	return nil
}

// Known reports whether there is a record of a job.
func (s *Store) Known(ctx context.Context, id job.ID) (bool, error) {
	n, err := s.rdb.Exists(ctx, s.jobKey(id)).Result()
	if err != nil {
		return false, fmt.Errorf("find job %s: %w", id, err)
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

// Drop removes jobs with their history, and everything in the namespace besides jobs. Nothing may
// be working in the namespace.
func (s *Store) Drop(ctx context.Context, jobs ...job.ID) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, id := range jobs {
			p.Del(ctx, s.jobKeys(id)...)
			p.Del(ctx, s.holderKey(id), s.samplerKey(id))
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
