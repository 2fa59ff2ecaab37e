package state

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// Mind makes the caller, named by token, the one controller that works on the job, until it
// leaves it or ttl is over. It is a courtesy that saves double work, not a safeguard: every
// transition is safe without it. False means that another controller minds the job.
func (s *Store) Mind(ctx context.Context, id job.ID, token string, ttl time.Duration) (bool, error) {
	holder, err := s.hold(ctx, s.minderKey(id), token, ttl)
	return holder == token, err
}

// Leave ends Mind.
func (s *Store) Leave(ctx context.Context, id job.ID, token string) error {
	return s.release(ctx, s.minderKey(id), token)
}

// HoldReports makes the caller, named by token, the one controller that reports what the whole cluster
// is like, until it leaves that to others or ttl is over. False means that another is.
func (s *Store) HoldReports(ctx context.Context, token string, ttl time.Duration) (bool, error) {
	holder, err := s.hold(ctx, s.reporterKey(), token, ttl)
	return holder == token, err
}

// LeaveReports ends HoldReports.
func (s *Store) LeaveReports(ctx context.Context, token string) error {
	return s.release(ctx, s.reporterKey(), token)
}

// LockOutput keeps other jobs from writing to the same output until UnlockOutput. It
// returns the job that holds it: id itself on success.
func (s *Store) LockOutput(ctx context.Context, url string, id job.ID) (job.ID, error) {
	holder, err := s.holderBy(ctx, lockOutputScript, s.outputsKey(), outputField(url), string(id))
	if err != nil {
		return "", fmt.Errorf("lock output %s: %w", url, err)
	}
	return job.ID(holder), nil
}

// OutputHolder returns the job that holds the lock on an output; "" if none does.
func (s *Store) OutputHolder(ctx context.Context, url string) (job.ID, error) {
	holder, err := s.rdb.HGet(ctx, s.outputsKey(), outputField(url)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("look for the holder of %s: %w", url, err)
	}
	return job.ID(holder), nil
}

// UnlockOutput ends LockOutput, and calls a controller, since another job may wait for the output. It does
// nothing when another job holds the lock.
func (s *Store) UnlockOutput(ctx context.Context, url string, id job.ID) error {
	unlocked, err := s.freedBy(ctx, unlockOutputScript, s.outputsKey(), outputField(url), string(id))
	if err != nil {
		return fmt.Errorf("unlock output %s: %w", url, err)
	}
	if !unlocked {
		return nil
	}
	return s.callController(ctx, id)
}

// OutputLocks returns which job holds each output that is locked, by URL.
func (s *Store) OutputLocks(ctx context.Context) (map[string]job.ID, error) {
	const page = 1000
	locks := map[string]job.ID{}
	for cursor := uint64(0); ; {
		fields, next, err := s.rdb.HScan(ctx, s.outputsKey(), cursor, "", page).Result()
		if err != nil {
			return nil, fmt.Errorf("list locked outputs: %w", err)
		}
		for i := 0; i+1 < len(fields); i += 2 {
			locks[fields[i]] = job.ID(fields[i+1])
		}
		if cursor = next; cursor == 0 {
			return locks, nil
		}
	}
}

// outputField stands for an output among the locks.
func outputField(url string) string { return strings.TrimSuffix(url, "/") }

func (s *Store) hold(ctx context.Context, key, token string, ttl time.Duration) (string, error) {
	holder, err := s.holderBy(ctx, holdScript, key, token, ttl.Milliseconds())
	if err != nil {
		return "", fmt.Errorf("take %s: %w", key, err)
	}
	return holder, nil
}

// holderBy runs a script that answers who holds a lock.
func (s *Store) holderBy(ctx context.Context, script *script, key string, args ...any) (string, error) {
	v, err := script.call(ctx, s.rdb, []string{key}, args...)
	if err != nil {
		return "", err
	}
	r := script.replyOfOne(v)
	holder := r.text("the holder")
	return holder, r.done()
}

// freedBy runs a script that answers 1 if it has ended a lock, and 0 if there was nothing to end.
func (s *Store) freedBy(ctx context.Context, script *script, key string, args ...any) (bool, error) {
	v, err := script.call(ctx, s.rdb, []string{key}, args...)
	if err != nil {
		return false, err
	}
	r := script.replyOfOne(v)
	freed := r.yes("whether the lock was ended")
	return freed, r.done()
}

func (s *Store) release(ctx context.Context, key, token string) error {
	if _, err := s.freedBy(ctx, releaseScript, key, token); err != nil {
		return fmt.Errorf("release %s: %w", key, err)
	}
	return nil
}
