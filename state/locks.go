package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Mind makes the caller, named by token, the one controller that works on the job, until it
// leaves it or ttl is over. It is a courtesy that saves double work, not a safeguard: every
// transition is safe without it. False means that another controller minds the job.
func (s *Store) Mind(ctx context.Context, id JobID, token string, ttl time.Duration) (bool, error) {
	holder, err := s.hold(ctx, s.minderKey(id), token, ttl)
	return holder == token, err
}

// Leave ends Mind.
func (s *Store) Leave(ctx context.Context, id JobID, token string) error {
	return s.release(ctx, s.minderKey(id), token)
}

// LockOutput keeps other jobs from writing to the same output until UnlockOutput. It
// returns the job that holds it: id itself on success.
func (s *Store) LockOutput(ctx context.Context, url string, id JobID) (JobID, error) {
	holder, err := s.hold(ctx, s.outputKey(url), string(id), 0)
	return JobID(holder), err
}

// OutputHolder returns the job that holds the lock on an output; "" if none does.
func (s *Store) OutputHolder(ctx context.Context, url string) (JobID, error) {
	holder, err := s.rdb.Get(ctx, s.outputKey(url)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("look for the holder of %s: %w", url, err)
	}
	return JobID(holder), nil
}

// UnlockOutput ends LockOutput; it does nothing when another job holds the lock.
func (s *Store) UnlockOutput(ctx context.Context, url string, id JobID) error {
	return s.release(ctx, s.outputKey(url), string(id))
}

func (s *Store) hold(ctx context.Context, key, token string, ttl time.Duration) (string, error) {
	holder, err := holdScript.Run(ctx, s.rdb, []string{key}, token, ttl.Milliseconds()).Text()
	if err != nil {
		return "", fmt.Errorf("take %s: %w", key, err)
	}
	return holder, nil
}

func (s *Store) release(ctx context.Context, key, token string) error {
	if err := releaseScript.Run(ctx, s.rdb, []string{key}, token).Err(); err != nil {
		return fmt.Errorf("release %s: %w", key, err)
	}
	return nil
}
