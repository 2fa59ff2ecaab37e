package s3bucket

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// do sends a request until it succeeds, fails for good, or has used up its attempts. Each attempt
// has its own watchdog, set to the request timeout.
func do[T any](ctx context.Context, b *Bucket, verb, key string, request func(context.Context, *watchdog) (T, error)) (T, error) {
	return retry(ctx, b, verb, key, func() (T, error) { return once(ctx, b, request) })
}

// once sends a request without retries.
func once[T any](ctx context.Context, b *Bucket, request func(context.Context, *watchdog) (T, error)) (T, error) {
	ctx, w := newWatchdog(b.withCallInfo(ctx, false), b.config.RequestTimeout)
	defer w.end()
	v, err := request(ctx, w)
	return v, w.explain(err)
}

// pause waits as long as before the n-th retry of a request, n from 1.
func (b *Bucket) pause(ctx context.Context, n int) error {
	longest := min(b.config.Retry.BaseDelay<<(n-1), b.config.Retry.MaxDelay)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rand.N(longest + 1)):
		return nil
	}
}

// retry is do for attempts that make their own watchdogs.
func retry[T any](ctx context.Context, b *Bucket, verb, key string, attempt func() (T, error)) (T, error) {
	var zero T
	// With a RandomizationFactor of 1 a delay is anything from 0 to twice the interval.
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
		if _, retryable := classify(err); !retryable {
			return zero, backoff.Permanent(err)
		}
		return zero, err
	}, backoff.WithBackOff(delays), backoff.WithMaxTries(uint(b.config.Retry.Attempts)), backoff.WithMaxElapsedTime(0))
	if err == nil {
		return v, nil
	}
	// Retry does not unwrap a permanent error on the last attempt.
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
