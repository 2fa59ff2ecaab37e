package objstore

import (
	"context"
	"iter"
	"time"
)

// The interfaces below are optional: callers find out with a type assertion whether a [Bucket]
// implements them. Like those of Bucket, their methods are safe for concurrent use.

// A Presigner is a Bucket that can make links. A link lets anyone who has it send one kind of
// request, GET or PUT, to one object until the link expires (after at most 7 days). Presign sends
// nothing. The S3 drivers are Presigners.
type Presigner interface {
	Presign(ctx context.Context, method, key string, expires time.Duration) (string, error)
}

// A BucketEnsurer is a Bucket that the store may lack. The S3 drivers are BucketEnsurers; a folder
// is made by the first write to it.
type BucketEnsurer interface {
	// EnsureBucket makes the bucket unless it exists.
	EnsureBucket(ctx context.Context) error
}

// A BucketLister is a Bucket whose store can name its buckets. The S3 drivers are BucketListers.
type BucketLister interface {
	// Buckets returns the names of all buckets of the store that the credentials own, whether or
	// not this one exists.
	Buckets(ctx context.Context) ([]string, error)
}

// A SelectiveLister is a Bucket that can list without looking at what is not wanted. The driver for
// folders is one: there a listing reads every folder, and some may be unreadable or endless.
type SelectiveLister interface {
	// ListWhere is List without the keys that want refuses. For a folder below prefix it calls
	// want with the folder's key and a slash; a folder that is refused is not read.
	ListWhere(ctx context.Context, prefix string, want func(key string) bool) iter.Seq2[Object, error]
}

// A Foldered Bucket has folders that may be empty. In other buckets a folder exists if an object is
// below it.
type Foldered interface {
	// HasFolder reports whether a folder exists. Its key has no trailing slash; the empty key is
	// the bucket itself.
	HasFolder(ctx context.Context, key string) (bool, error)
}

// A Linked Bucket may have several keys for one object, because it has symbolic links.
type Linked interface {
	// Follow returns the key of the same object or folder that passes no link. If there is none, it
	// follows the links of those parent folders that exist. A folder's key has no trailing slash.
	Follow(key string) string
}
