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

// HoldJob makes the caller, named by token, the one controller that works on the job, until it
// releases the job or ttl ends. The hold is advisory: it saves double work, but every transition is
// safe without it. False means that another controller holds the job.
func (s *Store) HoldJob(ctx context.Context, id job.ID, token string, ttl time.Duration) (bool, error) {
	holder, err := s.hold(ctx, s.holderKey(id), token, ttl)
	return holder == token, err
}

// ReleaseJob ends HoldJob.
func (s *Store) ReleaseJob(ctx context.Context, id job.ID, token string) error {
	return s.release(ctx, s.holderKey(id), token)
}

// HoldReports makes the caller, named by token, the one controller that reports on the whole
// cluster, until it releases the hold or ttl ends. False means that another one holds it.
func (s *Store) HoldReports(ctx context.Context, token string, ttl time.Duration) (bool, error) {
	holder, err := s.hold(ctx, s.reporterKey(), token, ttl)
	return holder == token, err
}

// ReleaseReports ends HoldReports.
func (s *Store) ReleaseReports(ctx context.Context, token string) error {
	return s.release(ctx, s.reporterKey(), token)
}

// LockOutput keeps other jobs from writing to the same output until UnlockOutput. It returns the
// job that holds the lock: id itself on success.
func (s *Store) LockOutput(ctx context.Context, url string, id job.ID) (job.ID, error) {
	holder, err := s.holderBy(ctx, lockOutputScript, s.outputsKey(), outputField(url), string(id))
	if err != nil {
		return "", fmt.Errorf("lock output %s: %w", url, err)
	}
	return job.ID(holder), nil
}

// OutputHolder returns the job that holds the lock on an output; "" if there is none.
func (s *Store) OutputHolder(ctx context.Context, url string) (job.ID, error) {
	holder, err := s.rdb.HGet(ctx, s.outputsKey(), outputField(url)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("read the holder of %s: %w", url, err)
	}
	return job.ID(holder), nil
}

// UnlockOutput ends LockOutput and calls a controller, as another job may be waiting for the
// output. It does nothing if another job holds the lock.
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

// OutputLocks returns which job holds each locked output, by URL.
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

// outputField returns the field of an output among the locks.
func outputField(url string) string { return strings.TrimSuffix(url, "/") }

func (s *Store) hold(ctx context.Context, key, token string, ttl time.Duration) (string, error) {
	holder, err := s.holderBy(ctx, holdScript, key, token, ttl.Milliseconds())
	if err != nil {
		return "", fmt.Errorf("hold %s: %w", key, err)
	}
	return holder, nil
}

// holderBy runs a script whose reply is the holder of a lock.
func (s *Store) holderBy(ctx context.Context, script *script, key string, args ...any) (string, error) {
	v, err := script.call(ctx, s.rdb, []string{key}, args...)
	if err != nil {
		return "", err
	}
	r := script.replyOfOne(v)
	holder := r.text("the holder")
	return holder, r.done()
}

// freedBy runs a script whose reply is 1 if it has released a lock, and 0 if there was nothing to
// release.
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
