package objstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A reference begins with one of these bytes.
const (
	inlineRef = 'i' // the payload follows
	storedRef = 's' // the payload's CRC-32C follows, big-endian, and its key
)

// storedRefLen is the length of a stored payload's reference up to the key.
const storedRefLen = 1 + crc32.Size

// resolveReads is how often a stored payload is read that is not what the reference says, before it
// counts as corrupt: bytes may be damaged on their way.
const resolveReads = 3

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Refer returns a short reference to payload: the payload itself while it has at most limit
// bytes, else the key of an object that it is written to.
func Refer(ctx context.Context, b Bucket, key string, payload []byte, limit int) ([]byte, error) {
	if len(payload) <= limit {
		return append([]byte{inlineRef}, payload...), nil
	}
	if _, err := b.Put(ctx, key, payload); err != nil {
		return nil, err
	}
	ref := binary.BigEndian.AppendUint32([]byte{storedRef}, crc32.Checksum(payload, castagnoli))
	return append(ref, key...), nil
}

// Resolve returns the payload that Refer made a reference to, or ErrCorrupt if there is another.
func Resolve(ctx context.Context, b Bucket, ref []byte) ([]byte, error) {
	if len(ref) == 0 {
		return nil, Invalidf("reference is empty")
	}
	switch ref[0] {
	case inlineRef:
		return ref[1:], nil
	case storedRef:
		if len(ref) <= storedRefLen {
			return nil, Invalidf("reference is cut short")
		}
		return readChecked(ctx, b, string(ref[storedRefLen:]), binary.BigEndian.Uint32(ref[1:]))
	}
	return nil, Invalidf("reference starts with %q", ref[0])
}

func readChecked(ctx context.Context, b Bucket, key string, sum uint32) ([]byte, error) {
	for range resolveReads {
		data, err := ReadAll(ctx, b, key, maxPayload)
		if err != nil {
			return nil, err
		}
		if crc32.Checksum(data, castagnoli) == sum {
			return data, nil
		}
	}
	return nil, corrupt(b, key)
}

// maxPayload bounds what is stored for a reference, and a checked object, in bytes. Both are written by Bucketmill
// alone. The largest are the manifests of map tasks that have millions of reducers.
const maxPayload = 1 << 30

// ReadAll reads a whole small object. It fails with ErrTooLarge where that has more bytes than the limit, before it
// holds more.
func ReadAll(ctx context.Context, b Bucket, key string, limit int64) (data []byte, err error) {
	r, err := b.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	data, err = io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("read %s/%s: %w: more than %d bytes", b.URL(), key, ErrTooLarge, limit)
	}
	return data, err
}
