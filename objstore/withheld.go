package objstore

import (
	"context"
	"errors"
	"fmt"
)

// Withheld distinguishes a lost object from a store that is down. It takes the error err of a read
// that failed after all retries, and again, which repeats the read. A store whose disk has damaged
// an object may answer 5xx for that object alone, for ever. So if err is ErrUnavailable, Withheld
// asks the store about an object that does not exist, and repeats the read. If the store answers
// the first and fails the second, the object is lost, and Withheld returns ErrCorrupt. Otherwise it
// returns err.
func Withheld(ctx context.Context, b Bucket, key string, err error, again func() error) error {
	if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	if _, other := b.Stat(ctx, key+".absent"); !errors.Is(other, ErrNotFound) {
		return err // the store is unreachable
	}
	if repeated := again(); ctx.Err() != nil || !errors.Is(repeated, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("read %s/%s: %w: the store answers other requests, but not those for this object: %v", b.URL(), key, ErrCorrupt, err) //nolint:errorlint // if wrapped, the error would count as transient
}
