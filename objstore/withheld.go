package objstore

import (
	"context"
	"errors"
	"fmt"
)

// Withheld finds out what it means that reading an object failed with err, after all retries. A store whose
// disk has damaged an object may answer 5xx for that object alone, for ever. So where err is ErrUnavailable
// the store is asked about an object that does not exist, and the read is repeated: if the store answers the
// one and again not the other, the object is lost, and Withheld returns ErrCorrupt. Otherwise it returns err.
func Withheld(ctx context.Context, b Bucket, key string, err error, again func() error) error {
	if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	if _, other := b.Stat(ctx, key+".absent"); !errors.Is(other, ErrNotFound) {
		return err // the store is away, or we are
	}
	if repeated := again(); ctx.Err() != nil || !errors.Is(repeated, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("read %s/%s: %w: the store answers, but does not give out this object: %v", b.URL(), key, ErrCorrupt, err) //nolint:errorlint // wrapped, it would say that it may pass
}
