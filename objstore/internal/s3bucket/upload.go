package s3bucket

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/bucketmill/bucketmill/objstore"
)

// completeTimeouts is how many request timeouts a completion may take: a store may have to copy
// thousands of parts.
const completeTimeouts = 5

// Complete asks the store to, and where it says that the upload is gone, looks whether the object
// is what the upload's parts make together.
func (b *Bucket) Complete(ctx context.Context, u objstore.Upload) (objstore.Object, error) {
	const verb = "complete"
	if err := checkSealed(u); err != nil {
		return objstore.Object{}, b.fail(verb, u.Key, err)
	}
	etag, err := do(ctx, b, verb, u.Key, func(ctx context.Context, w *watch) (string, error) {
		w.feed(completeTimeouts * b.config.RequestTimeout)
		return b.requests.CompleteUpload(ctx, u)
	})
	// A store may have thrown the parts away before it forgot the upload.
	if errors.Is(err, objstore.ErrNotFound) || codeOf(err) == "InvalidPart" {
		return b.completed(ctx, u, err)
	}
	if err != nil {
		return objstore.Object{}, err
	}
	return objstore.Object{Key: u.Key, Size: u.Size, ETag: etag}, nil
}

func checkSealed(u objstore.Upload) error {
	if err := objstore.CheckNewKey(u.Key); err != nil {
		return err
	}
	if u.ID == "" || len(u.Parts) == 0 {
		return fmt.Errorf("%w: the upload was not sealed", objstore.ErrInvalid)
	}
	return nil
}

// completed finds the object that u became, or returns refusal.
func (b *Bucket) completed(ctx context.Context, u objstore.Upload, refusal error) (objstore.Object, error) {
	o, err := b.Stat(ctx, u.Key)
	switch {
	case errors.Is(err, objstore.ErrNotFound):
		return objstore.Object{}, refusal
	case err != nil:
		return objstore.Object{}, fmt.Errorf("look for the completed object: %w", err)
	case o.Size != u.Size || o.ETag != multipartETag(u.Parts):
		return objstore.Object{}, fmt.Errorf("another object is in its place: %w", refusal)
	}
	return o, nil
}

// multipartETag is the ETag that S3 gives to an object of these parts: the MD5 of their MD5s and
// their number. Stores that encrypt with keys of their own (SSE-KMS) have others; there only the
// store itself knows that it completed an upload before. AWS does.
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

// Abort asks the store to forget the upload.
func (b *Bucket) Abort(ctx context.Context, u objstore.Upload) error {
	const verb = "abort"
	err := objstore.CheckNewKey(u.Key)
	if err == nil && u.ID == "" {
		err = fmt.Errorf("%w: no upload id", objstore.ErrInvalid)
	}
	if err != nil {
		return b.fail(verb, u.Key, err)
	}
	_, err = do(ctx, b, verb, u.Key, func(ctx context.Context, _ *watch) (struct{}, error) {
		return struct{}{}, b.requests.AbortUpload(ctx, u.Key, u.ID)
	})
	if codeOf(err) == "NoSuchUpload" {
		return nil
	}
	return err
}

// Uploads asks for a page at a time. MinIO takes the prefix for a whole key, so where no longer keys
// are listed it asks for the uploads of the whole bucket, too. Of those MinIO lists the ones that were
// begun at the server that answers, since it started; there is no request that finds the others but
// by their whole keys.
func (b *Bucket) Uploads(ctx context.Context, prefix string) iter.Seq2[objstore.Upload, error] {
	return func(yield func(objstore.Upload, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(objstore.Upload{}, b.fail("list uploads", prefix, err))
			return
		}
		exact, longer, more := false, false, true
		err := b.eachUpload(ctx, prefix, objstore.Upload{}, func(u objstore.Upload) bool {
			exact = exact || u.Key == prefix
			longer = longer || u.Key != prefix
			more = yield(u, nil)
			return more
		})
		if err == nil && more && !longer && prefix != "" {
			// Start just before prefix, and stop once past it.
			after := objstore.Upload{Key: prefix[:len(prefix)-1]}
			err = b.eachUpload(ctx, "", after, func(u objstore.Upload) bool {
				known := exact && u.Key == prefix
				return known || !strings.HasPrefix(u.Key, prefix) || yield(u, nil)
			})
		}
		if err != nil {
			yield(objstore.Upload{}, err)
		}
	}
}

// eachUpload calls visit until it returns false, or the listing or, for an empty prefix, the range
// of keys that start with after's ends.
func (b *Bucket) eachUpload(ctx context.Context, prefix string, after objstore.Upload, visit func(objstore.Upload) bool) error {
	type page struct {
		uploads []objstore.Upload
		more    bool
	}
	for more, start := true, after.Key; more; {
		p, err := do(ctx, b, "list uploads", prefix, func(ctx context.Context, _ *watch) (p page, err error) {
			p.uploads, p.more, err = b.requests.Uploads(ctx, prefix, after)
			return p, err
		})
		if err != nil {
			return err
		}
		for _, u := range p.uploads {
			if !visit(u) {
				return nil
			}
			after = objstore.Upload{Key: u.Key, ID: u.ID}
		}
		more = p.more && len(p.uploads) > 0 && strings.HasPrefix(after.Key, start)
	}
	return nil
}
