package s3bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/bucketmill/bucketmill/objstore"
)

// lookEvery is after how many internal errors in a row a store is asked whether it still has the upload.
const lookEvery = 2

// ofUpload sends a request about an upload as do does, but it also finds out when the upload is gone
// on a store that calls that an internal error, as Ceph's RGW and moto do. It then fails with ErrNotFound.
func ofUpload[T any](ctx context.Context, b *Bucket, verb string, u objstore.Upload, request func(context.Context, *watch) (T, error)) (T, error) {
	failures := 0
	return do(ctx, b, verb, u.Key, func(requestCtx context.Context, w *watch) (T, error) {
		v, err := request(requestCtx, w)
		if !isInternal(err) {
			return v, err
		}
		if failures++; failures%lookEvery == 0 && b.gone(ctx, u) {
			err = fmt.Errorf("%w: the upload is gone, and the store says: %w", objstore.ErrNotFound, err)
		}
		return v, err
	})
}

func isInternal(err error) bool {
	f, ok := errors.AsType[*Failure](err)
	return ok && f.Status == http.StatusInternalServerError
}

// gone is true only if the store says so: it does not repeat its requests, and takes no error for a
// yes.
func (b *Bucket) gone(ctx context.Context, u objstore.Upload) bool {
	_, err := once(ctx, b, func(ctx context.Context, _ *watch) (struct{}, error) {
		return struct{}{}, b.requests.FindUpload(ctx, u.Key, u.ID)
	})
	if !isInternal(err) {
		return codeOf(err) == "NoSuchUpload"
	}
	type page struct {
		uploads []objstore.Upload
		more    bool
	}
	p, err := once(ctx, b, func(ctx context.Context, _ *watch) (p page, err error) {
		p.uploads, p.more, err = b.requests.Uploads(ctx, u.Key, objstore.Upload{})
		return p, err
	})
	if err != nil || p.more {
		return false
	}
	return !slices.ContainsFunc(p.uploads, func(other objstore.Upload) bool { return other.ID == u.ID })
}
