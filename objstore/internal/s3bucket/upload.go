package s3bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/bucketmill/bucketmill/objstore"
)

// completeTimeouts is how many request timeouts a completion may take: a store may have to copy
// thousands of parts.
const completeTimeouts = 5

// completions is how often a completion is asked for while its object is not to be seen, but may still come:
// the store says that it completed the upload, or refuses because another completion is under way.
const completions = 5

// Complete asks the store to, and then looks whether the object is there, whatever the answer was.
func (b *Bucket) Complete(ctx context.Context, u objstore.Upload) (objstore.Object, error) {
	o, is, err := b.complete(ctx, u)
	if err == nil && is == unproven {
		err = b.unseen(u, is)
	}
	if err != nil {
		return objstore.Object{}, err
	}
	return o, nil
}

// complete returns no error only for an object that is ours, has the same bytes, or is unproven.
func (b *Bucket) complete(ctx context.Context, u objstore.Upload) (objstore.Object, whose, error) {
	const verb = "complete"
	if err := checkSealed(u); err != nil {
		return objstore.Object{}, nobodys, b.fail(verb, u.Key, err)
	}
	for n := 1; ; n++ {
		answered, refusal := ofUpload(ctx, b, verb, u, func(ctx context.Context, w *watch) (string, error) {
			w.feed(completeTimeouts * b.config.RequestTimeout)
			return b.requests.CompleteUpload(ctx, u)
		})
		if ctx.Err() != nil || errors.Is(refusal, objstore.ErrUnavailable) || errors.Is(refusal, objstore.ErrThrottled) {
			return objstore.Object{}, nobodys, refusal
		}
		o, is, err := b.look(ctx, u, answered)
		switch {
		case err != nil:
			return o, is, errors.Join(refusal, err)
		case is == ours, is == sameBytes, is == unproven && refusal == nil:
			return o, is, nil
		case n == completions || !mayCome(refusal):
			return o, is, cmp.Or(explain(refusal, is), b.unseen(u, is))
		}
		if err := b.pause(ctx, n); err != nil {
			return o, is, b.failContext(verb, u.Key, err)
		}
	}
}

// mayCome tells whether an object may yet be seen after that answer to the request to complete its upload. JuiceFS
// denies one of two that race; and a store may throw the parts away before it forgets the upload.
func mayCome(refusal error) bool {
	return refusal == nil || errors.Is(refusal, objstore.ErrDenied) || codeOf(refusal) == "InvalidPart"
}

// explain says what is in the object's place where the store refused to complete; nil for no refusal.
func explain(refusal error, is whose) error {
	switch {
	case is == nobodys && codeOf(refusal) == "InvalidPart":
		return fmt.Errorf("the store has lost parts of the upload: %w: %w", objstore.ErrNotFound, refusal)
	case refusal == nil || is == nobodys:
		return refusal
	case is == unproven:
		return fmt.Errorf("whether the object in its place is the same, the store does not tell: %w: %w", objstore.ErrUnproven, refusal)
	}
	return fmt.Errorf("another object is in its place: %w", refusal)
}

// unseen is the error where the store says that it completed u, and there is nothing that proves it.
func (b *Bucket) unseen(u objstore.Upload, is whose) error {
	err := fmt.Errorf("%w: the store says that it completed the upload, but no object is there", objstore.ErrNotFound)
	switch is {
	case others:
		err = fmt.Errorf("%w: the store says that it completed the upload, but another object is there", objstore.ErrNotFound)
	case unproven:
		err = fmt.Errorf("%w: %w: the object has neither the upload's mark nor an ETag", objstore.ErrNotFound, objstore.ErrUnproven)
	}
	return b.fail("complete", u.Key, err)
}

func checkSealed(u objstore.Upload) error {
	if err := objstore.CheckNewKey(u.Key); err != nil {
		return err
	}
	if u.ID == "" || len(u.Parts) == 0 {
		return objstore.Invalidf("the upload was not sealed")
	}
	return nil
}

// Abort asks the store to forget the upload.
func (b *Bucket) Abort(ctx context.Context, u objstore.Upload) error {
	const verb = "abort"
	err := objstore.CheckNewKey(u.Key)
	if err == nil && u.ID == "" {
		err = objstore.Invalidf("no upload id")
	}
	if err != nil {
		return b.fail(verb, u.Key, err)
	}
	_, err = ofUpload(ctx, b, verb, u, func(ctx context.Context, _ *watch) (struct{}, error) {
		return struct{}{}, b.requests.AbortUpload(ctx, u.Key, u.ID)
	})
	if codeOf(err) == "NoSuchUpload" || isInternal(err) && errors.Is(err, objstore.ErrNotFound) {
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
