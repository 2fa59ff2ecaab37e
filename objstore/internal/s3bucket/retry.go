package s3bucket

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// do sends a request until it succeeds, fails for good, or has been tried often enough. Each
// attempt has a watch of its own, wound up to the request timeout.
func do[T any](ctx context.Context, b *Bucket, verb, key string, request func(context.Context, *watch) (T, error)) (T, error) {
	return attempts(ctx, b, verb, key, func() (T, error) { return once(ctx, b, request) })
}

// once sends a request and does not repeat it.
func once[T any](ctx context.Context, b *Bucket, request func(context.Context, *watch) (T, error)) (T, error) {
	ctx, w := newWatch(b.tag(ctx, false), b.config.RequestTimeout)
	defer w.end()
	v, err := request(ctx, w)
	return v, w.explain(err)
}

// pause waits before the n-th repetition of something, n from 1, as before that of a request.
func (b *Bucket) pause(ctx context.Context, n int) error {
	longest := min(b.config.Retry.BaseDelay<<(n-1), b.config.Retry.MaxDelay)
	timer := time.NewTimer(rand.N(longest + 1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempts is do for requests that keep their watch.
func attempts[T any](ctx context.Context, b *Bucket, verb, key string, attempt func() (T, error)) (T, error) {
	var zero T
	// InitialInterval and a factor of 1 make the first delay anything up to twice the interval.
	delays := &backoff.ExponentialBackOff{
		InitialInterval:     b.config.Retry.BaseDelay / 2,
		MaxInterval:         b.config.Retry.MaxDelay / 2,
		Multiplier:          2,
		RandomizationFactor: 1,
	}
	began, tries := time.Now(), 0
	v, err := backoff.Retry(ctx, func() (T, error) {
		if err := ctx.Err(); err != nil {
			return zero, backoff.Permanent(err)
		}
		if tries++; tries > 1 {
			b.counters.Retries.Add(1)
		}
		v, err := attempt()
		if err == nil {
			return v, nil
		}
		if ctxErr := ctx.Err(); ctxErr != nil {
			return zero, backoff.Permanent(ctxErr)
		}
		if slowDown(err) {
			b.patience.throttled()
		}
		if _, again := classify(err); !again {
			return zero, backoff.Permanent(err)
		}
		return zero, err
	}, backoff.WithBackOff(delays), backoff.WithMaxTries(uint(b.config.Retry.Attempts)), backoff.WithMaxElapsedTime(0))
	if err == nil {
		return v, nil
	}
	// On the last attempt Retry leaves the wrapping to us.
	if permanent, ok := errors.AsType[*backoff.PermanentError](err); ok {
		err = permanent.Unwrap()
	}
	if ctxErr := ctx.Err(); ctxErr != nil {
		return zero, b.failContext(verb, key, ctxErr)
	}
	err = b.fail(verb, key, err)
	if tries > 1 {
		err = fmt.Errorf("%w: tried %d times in %v", err, tries, time.Since(began).Round(time.Millisecond))
	}
	return zero, err
}
