package s3bucket

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/bucketmill/bucketmill/objstore"
)

// An upload's object carries a mark that is the upload's own: metadata that the store got when the
// upload began, and that the handle has, too. Whose object lies under a key is found out by it, and
// never by what a store answers to a completion: VersityGW and rclone say "completed" of uploads that
// were aborted, whatever the object is that they have there; Ceph says "internal error" of those that
// it has completed itself; and two uploads of the same bytes have the same ETag.

// whose is what the object under an upload's key is to the upload.
type whose int

const (
	nobodys   whose = iota // there is no object
	others                 // it was made by something else
	unproven               // the store keeps neither marks nor ETags, and the size is right
	sameBytes              // it has no mark, but its ETag says that it is of the same bytes
	ours                   // it has the mark, and the size
)

// look describes the object under u's key. Answered is the ETag that the store gave when it said that it
// completed u, or empty.
func (b *Bucket) look(ctx context.Context, u objstore.Upload, answered string) (objstore.Object, whose, error) {
	o, mark, err := b.head(ctx, "look who made", u.Key)
	switch {
	case errors.Is(err, objstore.ErrNotFound):
		return objstore.Object{}, nobodys, nil
	case err != nil:
		return objstore.Object{}, nobodys, err
	}
	return o, compare(u, o, mark, answered), nil
}

// compare has to do without a mark where the store drops metadata, and for handles and objects of the
// time before there were marks.
func compare(u objstore.Upload, o objstore.Object, mark, answered string) whose {
	switch {
	case o.Size != u.Size:
		return others // also where it has the mark: gofakes3 leaves it on the object that replaces ours
	case mark != "" && mark == u.Mark:
		return ours
	case mark != "":
		return others
	case o.ETag != "" && o.ETag == multipartETag(u.Parts):
		return sameBytes
	case o.ETag == "" || o.ETag == answered:
		return unproven
	}
	return others
}

// multipartETag is the ETag that S3 gives to an object of these parts: the MD5 of their MD5s and
// their number. Stores that encrypt with keys of their own (SSE-KMS) have others.
func multipartETag(parts []objstore.Part) string {
	sum := md5.New()
	for _, p := range parts {
		raw, err := hex.DecodeString(p.ETag)
		if err != nil {
			return "" // no MD5, so nothing to compare with
		}
		sum.Write(raw)
	}
	return fmt.Sprintf("%x-%d", sum.Sum(nil), len(parts))
}

// Made looks for the mark.
func (b *Bucket) Made(ctx context.Context, u objstore.Upload) (bool, error) {
	const verb = "look who made"
	if err := checkSealed(u); err != nil {
		return false, b.fail(verb, u.Key, err)
	}
	_, is, err := b.look(ctx, u, "")
	if err != nil {
		return false, err
	}
	if is == sameBytes || is == unproven {
		return false, b.fail(verb, u.Key, fmt.Errorf("%w: it has no mark of the upload that made it", objstore.ErrUnproven))
	}
	return is == ours, nil
}
