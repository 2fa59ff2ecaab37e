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

// The ready set is one queue for each priority: a job that was served goes to the end of its
// own, so that equals take turns. A score is (MaxPriority - priority) * turnSpan + the place
// in the queue; no two jobs of a priority have the same, and no clock is asked.
const (
	turnSpan = 1e12 // places; counting starts again whenever the queue is empty

	// maxTokens bounds the tokens that wait in a list. An announcement wakes up to so many
	// executors, each of which wakes another if work is left. While nobody waits tokens pile
	// up: they cost so many vain wake-ups later, so it is small.
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

// served moves a job from which tasks were claimed, and that has more, to the end of its queue, unless
// it is the only one there. Who was woken by a token wakes another executor: so few tokens wake
// many, and those that never wait cost nothing.
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

// unready takes a job that had no ready tasks off the ready set. A task may have become ready
// meanwhile, and its announcement gone under because the job was still listed: so the job
// is looked at once more, now that an announcement would list it.
func (s *Store) unready(ctx context.Context, id job.ID) error {
	if err := s.rdb.ZRem(ctx, s.readyKey(), string(id)).Err(); err != nil {
		return fmt.Errorf("take %s off the ready jobs: %w", id, err)
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

// announced tells whether executors know already that a job has ready tasks.
func (s *Store) announced(ctx context.Context, id job.ID) (bool, error) {
	err := s.rdb.ZScore(ctx, s.readyKey(), string(id)).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s among the ready jobs: %w", id, err)
	}
	return true, nil
}

// push wakes n of those that wait on a list of tokens.
func (s *Store) push(ctx context.Context, key, token string, n int) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.RPush(ctx, key, slices.Repeat([]any{token}, n)...)
		p.LTrim(ctx, key, -maxTokens, -1)
		return nil
	})
	if err != nil {
		return fmt.Errorf("wake those that wait on %s: %w", key, err)
	}
	return nil
}

// WaitWork returns when there may be tasks to claim, or after timeout (at least a second, to
// whole seconds). It costs Redis one call, and the Claim after it another: so an idle
// executor should wait two seconds or more. A token may have been left over, so finding
// nothing is no error. Cancelling ctx does not end the wait before its time.
func (s *Store) WaitWork(ctx context.Context, timeout time.Duration) error {
	token, err := s.waitFor(ctx, s.wakeKey(), timeout)
	if token {
		s.woken.Store(true)
	}
	return err
}

// WaitControl returns when a job wants a controller, or after timeout (as WaitWork).
func (s *Store) WaitControl(ctx context.Context, timeout time.Duration) error {
	_, err := s.waitFor(ctx, s.controlKey(), timeout)
	return err
}

// waitFor takes a token from a list, or returns false after timeout.
func (s *Store) waitFor(ctx context.Context, key string, timeout time.Duration) (token bool, err error) {
	// The token that a call which is left behind may take is only a hint.
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

// leaveBehind makes a call that blocks. The client would not notice the end of ctx before Redis
// answers, so the call is left behind then. It ends with its timeout or the connection; Close
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

// callController asks for a controller to look after a job now.
func (s *Store) callController(ctx context.Context, id job.ID) error {
	return s.push(ctx, s.controlKey(), string(id), 1)
}
