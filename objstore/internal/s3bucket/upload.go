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

// completeTimeouts is how many request timeouts a completion may take: a store may copy thousands
// of parts.
const completeTimeouts = 5

// completions is how often a completion is requested while its object is invisible but may still
// appear: the store says that it completed the upload, or refuses because another completion runs.
const completions = 5

// Complete requests the completion and then checks the object, whatever the answer was.
func (b *Bucket) Complete(ctx context.Context, u objstore.Upload) (objstore.Object, error) {
	o, whose, err := b.complete(ctx, u)
	if err == nil && whose == unproven {
		err = b.noProof(u, whose)
	}
	if err != nil {
		return objstore.Object{}, err
	}
	return o, nil
}

// complete returns an error unless the object is ours, has the same bytes, or is unproven.
func (b *Bucket) complete(ctx context.Context, u objstore.Upload) (objstore.Object, ownership, error) {
	const verb = "complete"
	if err := checkSealed(u); err != nil {
		return objstore.Object{}, noObject, b.fail(verb, u.Key, err)
	}
	for n := 1; ; n++ {
		answered, refusal := doForUpload(ctx, b, verb, u, func(ctx context.Context, w *watchdog) (string, error) {
			w.feed(completeTimeouts * b.config.RequestTimeout)
			return b.requests.CompleteUpload(ctx, u)
		})
		if ctx.Err() != nil || errors.Is(refusal, objstore.ErrUnavailable) || errors.Is(refusal, objstore.ErrThrottled) {
			return objstore.Object{}, noObject, refusal
		}
		o, whose, err := b.identify(ctx, u, answered)
		switch {
		case err != nil:
			return o, whose, errors.Join(refusal, err)
		case whose == ours, whose == sameBytes, whose == unproven && refusal == nil:
			return o, whose, nil
		case n == completions || !mayAppear(refusal):
			return o, whose, cmp.Or(explainRefusal(refusal, whose), b.noProof(u, whose))
		}
		if err := b.pause(ctx, n); err != nil {
			return o, whose, b.failContext(verb, u.Key, err)
		}
	}
}

// mayAppear reports whether the object may still appear after this answer to a completion. JuiceFS
// denies one of two completions that race, and a store may discard the parts before the upload.
func mayAppear(refusal error) bool {
	return refusal == nil || errors.Is(refusal, objstore.ErrDenied) || codeOf(refusal) == "InvalidPart"
}

// explainRefusal adds to a refused completion what is in the object's place. It returns nil for
// nil.
func explainRefusal(refusal error, whose ownership) error {
	switch {
	case whose == noObject && codeOf(refusal) == "InvalidPart":
		return fmt.Errorf("the store has lost parts of the upload: %w: %w", objstore.ErrNotFound, refusal)
	case refusal == nil || whose == noObject:
		return refusal
	case whose == unproven:
		return fmt.Errorf("another object may be in its place: %w: %w", objstore.ErrUnproven, refusal)
	}
	return fmt.Errorf("another object is in its place: %w", refusal)
}

// noProof is the error for a store that says that it completed u, although nothing proves it.
func (b *Bucket) noProof(u objstore.Upload, whose ownership) error {
	err := fmt.Errorf("%w: the store says that it completed the upload, but no object is there", objstore.ErrNotFound)
	switch whose {
	case foreign:
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
		err = objstore.Invalidf("the handle has no upload id")
	}
	if err != nil {
		return b.fail(verb, u.Key, err)
	}
	_, err = doForUpload(ctx, b, verb, u, func(ctx context.Context, _ *watchdog) (struct{}, error) {
		return struct{}{}, b.requests.AbortUpload(ctx, u.Key, u.ID)
	})
	if codeOf(err) == "NoSuchUpload" || isInternal(err) && errors.Is(err, objstore.ErrNotFound) {
		return nil
	}
	return err
}

// Uploads requests a page at a time. MinIO treats the prefix as a whole key, so if no longer keys
// are listed, Uploads also lists the uploads of the whole bucket. Then MinIO lists only those that
// began on the answering server since it started; only a whole key finds the others.
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
			// Start just before prefix, and stop after it.
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

// eachUpload calls visit for each upload after the given one. It ends when visit returns false, at
// the end of the listing, or after the keys that start with after's key.
func (b *Bucket) eachUpload(ctx context.Context, prefix string, after objstore.Upload, visit func(objstore.Upload) bool) error {
	type page struct {
		uploads []objstore.Upload
		more    bool
	}
	for more, start := true, after.Key; more; {
		p, err := do(ctx, b, "list uploads", prefix, func(ctx context.Context, _ *watchdog) (p page, err error) {
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
