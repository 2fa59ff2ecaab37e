package objstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The first byte of a reference.
const (
	inlineRef = 'i' // the payload follows
	storedRef = 's' // the payload's CRC-32C (big-endian) and its key follow
)

// storedRefLen is the number of bytes before the key in the reference to a stored payload.
const storedRefLen = 1 + crc32.Size

// checkedReads is how often a stored payload or checked object is read before a checksum mismatch
// counts as corruption: bytes may be damaged on their way.
const checkedReads = 3

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Refer returns a short reference to payload. The reference contains the payload itself if that has
// at most limit bytes. Otherwise Refer writes the payload to key, and the reference contains the
// key.
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

// Resolve returns the payload of a reference that Refer made. It fails with ErrCorrupt if the
// stored payload has another checksum.
func Resolve(ctx context.Context, b Bucket, ref []byte) ([]byte, error) {
	if len(ref) == 0 {
		return nil, Invalidf("the reference is empty")
	}
	switch ref[0] {
	case inlineRef:
		return ref[1:], nil
	case storedRef:
		if len(ref) <= storedRefLen {
			return nil, Invalidf("the reference is cut short")
		}
		return readChecked(ctx, b, string(ref[storedRefLen:]), binary.BigEndian.Uint32(ref[1:]))
	}
	return nil, Invalidf("the reference starts with %q", ref[0])
}

// readChecked reads an object with this CRC-32C.
func readChecked(ctx context.Context, b Bucket, key string, sum uint32) ([]byte, error) {
	for range checkedReads {
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

// maxPayload is the limit in bytes of a stored payload and of a checked object that is read whole.
// Only Bucketmill writes them. The largest are the manifests of map tasks with millions of
// reducers.
const maxPayload = 1 << 30

// ReadAll reads a whole small object. It fails with ErrTooLarge, without reading on, if the object
// has more than limit bytes.
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
