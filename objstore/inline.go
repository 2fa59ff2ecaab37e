package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// A reference begins with one of these bytes.
const (
	inlineRef = 'i' // the payload follows
	storedRef = 's' // the payload's key follows
)

// Refer returns a short reference to payload: the payload itself while it has at most limit
// bytes, else the key of an object that it is written to.
func Refer(ctx context.Context, b Bucket, key string, payload []byte, limit int) ([]byte, error) {
	if len(payload) <= limit {
		return append([]byte{inlineRef}, payload...), nil
	}
	if _, err := b.Put(ctx, key, payload); err != nil {
		return nil, err
	}
	return append([]byte{storedRef}, key...), nil
}

// Resolve returns the payload that Refer made a reference to.
func Resolve(ctx context.Context, b Bucket, ref []byte) ([]byte, error) {
	if len(ref) == 0 {
		return nil, fmt.Errorf("%w: reference is empty", ErrInvalid)
	}
	switch ref[0] {
	case inlineRef:
		return ref[1:], nil
	case storedRef:
		return ReadAll(ctx, b, string(ref[1:]))
	}
	return nil, fmt.Errorf("%w: reference starts with %q", ErrInvalid, ref[0])
}

// ReadAll reads a whole small object.
func ReadAll(ctx context.Context, b Bucket, key string) (data []byte, err error) {
	r, err := b.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r)
}
