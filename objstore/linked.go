package objstore

import "context"

// A Foldered bucket has folders that may be empty. On others a folder is there if an object is below it.
type Foldered interface {
	// HasFolder tells whether a folder is there. Its key has no slash at its end; the empty key is the bucket itself.
	HasFolder(ctx context.Context, key string) (bool, error)
}

// A Linked bucket may have several keys for one object, since symbolic links lead to others.
type Linked interface {
	// Follow returns the key of the same object or folder by which no link is passed. Of what does not exist, the
	// folders that do are followed. A folder's key has no slash at its end.
	Follow(key string) string
}
