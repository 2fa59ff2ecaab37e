package s3bucket

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/bucketmill/bucketmill/objstore"
)

// Each upload has its own mark: metadata that the store gets when the upload begins and puts on the
// object. The upload's handle contains the mark, too. The mark shows which upload made an object.
// The store's answer to a completion does not: VersityGW and rclone say "completed" for uploads
// that were aborted, whatever object they have under the key; Ceph says "internal error" for
// uploads that it has completed; and two uploads of the same bytes have the same ETag.

// ownership says how the object under an upload's key relates to the upload.
type ownership int

const (
	noObject  ownership = iota // there is no object
	foreign                    // something else made the object
	unproven                   // the store keeps neither marks nor ETags, and the size is right
	sameBytes                  // it has no mark, but its ETag shows the same bytes
	ours                       // it has the mark and the size
)

// identify describes the object under u's key. answered is the ETag with which the store said that
// it completed u; empty if it did not.
func (b *Bucket) identify(ctx context.Context, u objstore.Upload, answered string) (objstore.Object, ownership, error) {
	o, mark, err := b.head(ctx, "check which upload made", u.Key)
	switch {
	case errors.Is(err, objstore.ErrNotFound):
		return objstore.Object{}, noObject, nil
	case err != nil:
		return objstore.Object{}, noObject, err
	}
	return o, ownershipOf(u, o, mark, answered), nil
}

// ownershipOf compares the object with u. There is no mark if the store drops metadata, or if the
// handle or the object is older than marks.
func ownershipOf(u objstore.Upload, o objstore.Object, mark, answered string) ownership {
	switch {
	case o.Size != u.Size:
		return foreign // even with the mark: gofakes3 leaves it on the object that replaces ours
	case mark != "" && mark == u.Mark:
		return ours
	case mark != "":
		return foreign
	case o.ETag != "" && o.ETag == multipartETag(u.Parts):
		return sameBytes
	case o.ETag == "" || o.ETag == answered:
		return unproven
	}
	return foreign
}

// multipartETag returns the ETag that S3 gives to an object of these parts: the MD5 of their MD5s,
// and their number. Stores that encrypt with their own keys (SSE-KMS) use other ETags.
func multipartETag(parts []objstore.Part) string {
	sum := md5.New()
	for _, p := range parts {
		raw, err := hex.DecodeString(p.ETag)
		if err != nil {
			return "" // not an MD5, so there is nothing to compare with
		}
		sum.Write(raw)
	}
	return fmt.Sprintf("%x-%d", sum.Sum(nil), len(parts))
}

// Made compares the mark.
func (b *Bucket) Made(ctx context.Context, u objstore.Upload) (bool, error) {
	const verb = "check which upload made"
	if err := checkSealed(u); err != nil {
		return false, b.fail(verb, u.Key, err)
	}
	_, whose, err := b.identify(ctx, u, "")
	if err != nil {
		return false, err
	}
	if whose == sameBytes || whose == unproven {
		return false, b.fail(verb, u.Key, fmt.Errorf("%w: it has no mark", objstore.ErrUnproven))
	}
	return whose == ours, nil
}
