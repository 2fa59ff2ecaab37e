package s3bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/bucketmill/bucketmill/objstore"
)

// checkEvery is the number of internal errors after which the store is asked whether it still has
// the upload.
const checkEvery = 2

// doForUpload is do for a request about an upload. Some stores, such as Ceph's RGW and moto, answer
// "internal error" if the upload is gone. doForUpload notices that and fails with ErrNotFound.
func doForUpload[T any](ctx context.Context, b *Bucket, verb string, u objstore.Upload, request func(context.Context, *watchdog) (T, error)) (T, error) {
	failures := 0
	return do(ctx, b, verb, u.Key, func(requestCtx context.Context, w *watchdog) (T, error) {
		v, err := request(requestCtx, w)
		if !isInternal(err) {
			return v, err
		}
		if failures++; failures%checkEvery == 0 && b.uploadGone(ctx, u) {
			err = fmt.Errorf("%w: the upload is gone, and the store answers: %w", objstore.ErrNotFound, err)
		}
		return v, err
	})
}

func isInternal(err error) bool {
	f, ok := errors.AsType[*Failure](err)
	return ok && f.Status == http.StatusInternalServerError
}

// uploadGone reports whether the store says that the upload is gone. It does not retry its
// requests, and returns false after any error.
func (b *Bucket) uploadGone(ctx context.Context, u objstore.Upload) bool {
	_, err := once(ctx, b, func(ctx context.Context, _ *watchdog) (struct{}, error) {
		return struct{}{}, b.requests.FindUpload(ctx, u.Key, u.ID)
	})
	if !isInternal(err) {
		return codeOf(err) == "NoSuchUpload"
	}
	type page struct {
		uploads []objstore.Upload
		more    bool
	}
	p, err := once(ctx, b, func(ctx context.Context, _ *watchdog) (p page, err error) {
		p.uploads, p.more, err = b.requests.Uploads(ctx, u.Key, objstore.Upload{})
		return p, err
	})
	if err != nil || p.more {
		return false
	}
	return !slices.ContainsFunc(p.uploads, func(other objstore.Upload) bool { return other.ID == u.ID })
}
