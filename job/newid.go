package job

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// crockford is the alphabet of ULIDs (github.com/ulid/spec), in lower case.
var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns an id that no other job has: a ULID, so that ids sort by their time. It is made
// here, without a library, because clients import only the standard library.
func NewID() ID {
	// The 128 bits of a ULID are right-aligned in the 130 bits of its 26 characters. In 20 bytes,
	// which are exactly 32 characters, they are the last 26.
	var id [20]byte // 4 zeros, 6 of the time, 10 random: 160 bits, 32 characters
	binary.BigEndian.PutUint64(id[2:], uint64(time.Now().UnixMilli()))
	_, _ = rand.Read(id[10:]) // never fails
	return ID(crockford.EncodeToString(id[:])[6:])
}
