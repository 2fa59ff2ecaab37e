package objstore

import (
	"context"
	"time"
)

// A Presigner is a Bucket that can make links by which anyone who has one may do one kind of
// request, GET or PUT, to one object until the link expires (at most 7 days). It makes no
// request for that. The S3 drivers are Presigners.
type Presigner interface {
	Presign(ctx context.Context, method, key string, expires time.Duration) (string, error)
}
