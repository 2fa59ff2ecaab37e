package executor

import "slices"

// recent keeps the values that were added last, up to limit of them. Its methods take time in
// proportion to their number, which is small. It is not safe for concurrent use.
type recent[K comparable, V any] struct {
	limit  int
	keys   []K // oldest first
	values []V // by the index of the key
}

// get returns the value of a key, if it is kept.
func (r *recent[K, V]) get(key K) (value V, ok bool) {
	if i := slices.Index(r.keys, key); i >= 0 {
		return r.values[i], true
	}
	return value, false
}

// take removes a key and returns its value, if it is kept.
func (r *recent[K, V]) take(key K) (value V, ok bool) {
	i := slices.Index(r.keys, key)
	if i < 0 {
		return value, false
	}
	value = r.values[i]
	r.keys, r.values = slices.Delete(r.keys, i, i+1), slices.Delete(r.values, i, i+1)
	return value, true
}

// add keeps the value of a key that is not kept yet. If there are too many, it drops and returns
// the oldest value.
func (r *recent[K, V]) add(key K, value V) (oldest V, dropped bool) {
	r.keys, r.values = append(r.keys, key), append(r.values, value)
	if len(r.keys) <= r.limit {
		return oldest, false
	}
	return r.take(r.keys[0])
}
