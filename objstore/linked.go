package objstore

// A Linked bucket may have several keys for one object, since symbolic links lead to others.
type Linked interface {
	// Follow returns the key of the same object or folder by which no link is passed. Of what does not exist, the
	// folders that do are followed. A folder's key has no slash at its end.
	Follow(key string) string
}
