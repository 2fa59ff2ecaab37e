package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
)

// awsTimeout limits the wait for AWS if no endpoint is set: perhaps another store was meant.
const awsTimeout = 5 * time.Second

// checkBuckets checks that the buckets of a job exist, before anything is started. Other problems
// show when the buckets are used.
func (f *runFlags) checkBuckets(ctx context.Context, stores *connect.Stores, spec job.Spec) error {
	checked := map[string]bool{}
	for i, location := range append([]string{spec.Output}, spec.InputURLs()...) {
		u, err := objstore.ParseURL(location)
		if err != nil || u.Scheme != "s3" || checked[u.Bucket] {
			continue // an invalid location is reported elsewhere
		}
		checked[u.Bucket] = true
		err = f.checkBucket(ctx, stores, u.BucketURL())
		switch {
		case errors.Is(err, objstore.ErrNoBucket) && i == 0:
			return fmt.Errorf("output %s: %w: \"bucketmill mb %s%s\" makes it", u, objstore.ErrNoBucket, u.BucketURL(), f.store.endpointFlag())
		case errors.Is(err, objstore.ErrNoBucket):
			return fmt.Errorf("input %s: %w", u, objstore.ErrNoBucket)
		case err != nil:
			return err
		}
	}
	return nil
}

// endpointFlag returns the flag that makes another command reach the same store.
func (f *storeFlags) endpointFlag() string {
	if f.endpoint == "" {
		return " --s3-driver " + f.driver
	}
	return " --s3-endpoint " + f.endpoint
}

func (f *runFlags) checkBucket(ctx context.Context, stores *connect.Stores, url string) error {
	b, _, err := stores.Open(ctx, url)
	if err != nil {
		return err
	}
	noEndpoint := cmp.Or(f.store.endpoint, os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL")) == ""
	listCtx := ctx
	if noEndpoint {
		var cancel context.CancelFunc
		listCtx, cancel = context.WithTimeout(ctx, awsTimeout)
		defer cancel()
	}
	for _, listErr := range b.List(listCtx, ".bucketmill/") { // any prefix
		err = listErr
		break
	}
	switch {
	case err == nil, ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, objstore.ErrNoBucket):
		return err
	case noEndpoint && (errors.Is(err, objstore.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)):
		return fmt.Errorf("AWS does not answer for %s: if the bucket is on another store, set --s3-endpoint URL or AWS_ENDPOINT_URL: %w", url, err)
	}
	return nil
}
