package state

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// The ready set is one queue for each priority: a job that was served goes to the end of its queue,
// so that equals take turns. A score is (MaxPriority - priority) * turnSpan + the place in the
// queue; no two jobs of a priority have the same score, and no clock is involved.
const (
	turnSpan = 1e12 // places in a queue; counting restarts whenever the queue is empty

	// maxTokens is the limit of the tokens that wait in a list. An announcement wakes up to that
	// many executors, each of which wakes another one if work is left. Tokens accumulate while
	// nobody waits, and then cost as many vain wake-ups, so the limit is small.
	maxTokens = 16
)

// turn puts a job at the end of its priority's queue: mode is NX (a new one) or XX.
func (s *Store) turn(ctx context.Context, id job.ID, priority int, mode string) error {
	first := int64(job.MaxPriority-priority) * turnSpan
	v, err := turnScript.call(ctx, s.rdb, []string{s.readyKey()}, string(id), first, first+turnSpan, mode)
	if err != nil {
		return err
	}
	r := turnScript.replyOfOne(v)
	r.yes("whether the job was put there")
	return r.done()
}

// served moves a job from which tasks were claimed, and that has more, to the end of its queue,
// unless it is alone there. An executor that was woken by a token wakes another one: so a few
// tokens wake many executors, and executors that never wait cost nothing.
func (s *Store) served(ctx context.Context, z redis.Z, alone bool) error {
	if !alone {
		priority := job.MaxPriority - int(z.Score/turnSpan)
		if err := s.turn(ctx, job.ID(fmt.Sprint(z.Member)), priority, "XX"); err != nil {
			return fmt.Errorf("move %v to the end of its queue: %w", z.Member, err)
		}
	}
	if !s.woken.Swap(false) {
		return nil
	}
	return s.push(ctx, s.wakeKey(), "1", 1)
}

// unready removes a job that had no ready tasks from the ready set. A task may have become ready
// meanwhile, and its announcement have had no effect because the job was still listed. So unready
// reads the job once more, now that an announcement would list it.
func (s *Store) unready(ctx context.Context, id job.ID) error {
	if err := s.rdb.ZRem(ctx, s.readyKey(), string(id)).Err(); err != nil {
		return fmt.Errorf("remove %s from the ready jobs: %w", id, err)
	}
	_, left, err := s.claimFrom(ctx, id, "nobody", 0, time.Second)
	if err != nil || left == 0 {
		return err
	}
	return s.announce(ctx, id, left)
}

// announce tells executors that a job has ready tasks.
func (s *Store) announce(ctx context.Context, id job.ID, ready int) error {
	priority, err := s.rdb.HGet(ctx, s.jobKey(id), "priority").Int()
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("announce %s: %w", id, err)
	}
	if err := s.turn(ctx, id, priority, "NX"); err != nil {
		return fmt.Errorf("announce %s: %w", id, err)
	}
	return s.push(ctx, s.wakeKey(), "1", min(ready, maxTokens))
}

// announced reports whether executors already know that a job has ready tasks.
func (s *Store) announced(ctx context.Context, id job.ID) (bool, error) {
	err := s.rdb.ZScore(ctx, s.readyKey(), string(id)).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s among the ready jobs: %w", id, err)
	}
	return true, nil
}

// push wakes up to n processes that wait on a list of tokens.
func (s *Store) push(ctx context.Context, key, token string, n int) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.RPush(ctx, key, slices.Repeat([]any{token}, n)...)
		p.LTrim(ctx, key, -maxTokens, -1)
		return nil
	})
	if err != nil {
		return fmt.Errorf("wake what waits on %s: %w", key, err)
	}
	return nil
}

// WaitWork returns when there may be tasks to claim, or after timeout (at least a second, in whole
// seconds). It costs Redis one call, and the Claim after it another, so an idle executor should
// wait two seconds or more. A token may be left over, so finding no task is not an error.
// Cancelling ctx does not end the wait early.
func (s *Store) WaitWork(ctx context.Context, timeout time.Duration) error {
	token, err := s.waitFor(ctx, s.wakeKey(), timeout)
	if token {
		s.woken.Store(true)
	}
	return err
}

// WaitControl returns when a job needs a controller, or after timeout (like WaitWork).
func (s *Store) WaitControl(ctx context.Context, timeout time.Duration) error {
	_, err := s.waitFor(ctx, s.controlKey(), timeout)
	return err
}

// waitFor takes a token from a list, or returns false after timeout.
func (s *Store) waitFor(ctx context.Context, key string, timeout time.Duration) (token bool, err error) {
	// A call that is left behind may take a token, but tokens are only hints.
	err = s.leaveBehind(ctx, func(ctx context.Context) error {
		return s.rdb.BLPop(ctx, max(timeout, time.Second), key).Err()
	})
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("wait on %s: %w", key, err)
	}
	return true, nil
}

// leaveBehind makes a blocking call. The client would notice the end of ctx only when Redis
// answers, so the call is then left behind. It ends with its timeout or with the connection; Close
// waits for it.
func (s *Store) leaveBehind(ctx context.Context, call func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	answer := make(chan error, 1)
	s.waits.Go(func() { answer <- call(s.closing) })
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-answer:
		return err
	}
}

// callController asks for a controller to work on a job now.
func (s *Store) callController(ctx context.Context, id job.ID) error {
	return s.push(ctx, s.controlKey(), string(id), 1)
}
