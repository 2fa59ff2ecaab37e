package client

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// crockford is the alphabet of ULIDs (github.com/ulid/spec).
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// newKey returns a new idempotency key: a ULID. A server takes the time from it, so that a job's id begins
// with the time. It is made here, without a library, because this package imports only the standard library.
func newKey() string {
	// The 128 bits of a ULID are right-aligned in the 130 bits of its 26 characters. In 20 bytes, which are
	// exactly 32 characters, they are the last 26.
	var id [20]byte // 4 zero bytes, 6 bytes of time, 10 random bytes: 32 characters
	binary.BigEndian.PutUint64(id[2:], uint64(time.Now().UnixMilli()))
	_, _ = rand.Read(id[10:]) // never fails
	return crockford.EncodeToString(id[:])[6:]
}
