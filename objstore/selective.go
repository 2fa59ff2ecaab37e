package objstore

import (
	"context"
	"iter"
)

// A SelectiveLister is a Bucket that can list without looking at what is not wanted: where a
// listing costs a look into every folder, and some folders are closed to us or endless.
type SelectiveLister interface {
	// ListWhere is List, but for the keys that want refuses. A folder below prefix, asked for
	// with a slash at its end, is passed over with all that is in it.
	ListWhere(ctx context.Context, prefix string, want func(key string) bool) iter.Seq2[Object, error]
}
