// Package s3bucket is what the S3 drivers share: an [objstore.Bucket] over single requests.
//
// A driver implements [Requests], one method for one request, with its library's own retries
// switched off. Everything above that is here, once:
//
//	retry.go    repeats requests, with exponential backoff and full jitter
//	watch.go    gives each request a deadline, or its body one against standing still
//	hedge.go    sends reads again that are slow; patience.go decides which are
//	failure.go  sorts answers and broken connections into package objstore's errors
//	reader.go   resumes bodies that break
//	writer.go   cuts an object into parts and sends them, a few at a time
//	upload.go   completes, once or more often, and aborts
//	own.go      tells whether an object is the one that an upload made
//	gone.go     finds out whether a store that fails still has an upload
//	stats.go    counts requests, as transport.go sees them
package s3bucket

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

// Requests sends single requests to one bucket and waits for their answers. It neither repeats
// them nor limits their time. An answer that is a refusal is returned as a *[Failure], any other
// error as it came. It is safe for concurrent use.
type Requests interface {
	// Get asks for the bytes [offset, offset+length), to the end for a length of -1, of the
	// version with that ETag, or any if it is empty. The context lasts as long as the body.
	Get(ctx context.Context, key string, offset, length int64, etag string) (Answer, error)
	// Head describes an object, and gives the mark that Put or StartUpload left on it.
	Head(ctx context.Context, key string) (o objstore.Object, mark string, err error)
	// Put returns the ETag.
	Put(ctx context.Context, key string, p *Payload, c Condition) (etag string, err error)
	Delete(ctx context.Context, keys []string) error // DeleteBatch of them at most

	// StartUpload begins an upload whose object will carry the mark as MarkHeader.
	StartUpload(ctx context.Context, key, mark string) (id string, err error)
	PutPart(ctx context.Context, key, id string, number int, p *Payload) (etag string, err error)
	CompleteUpload(ctx context.Context, u objstore.Upload) (etag string, err error)
	AbortUpload(ctx context.Context, key, id string) error
	// FindUpload asks for a part of an upload, and fails as the store does where there is no such upload.
	FindUpload(ctx context.Context, key, id string) error

	// List gives the page of objects after the key after.
	List(ctx context.Context, prefix, after string) (page []objstore.Object, more bool, err error)
	// Uploads gives the page of uploads after that one, by its key and, unless empty, id.
	Uploads(ctx context.Context, prefix string, after objstore.Upload) (page []objstore.Upload, more bool, err error)

	// Presign signs a GET or PUT of an object, and sends nothing.
	Presign(ctx context.Context, method, key string, expires time.Duration) (string, error)

	HeadBucket(ctx context.Context) error
	CreateBucket(ctx context.Context) error
	// Buckets gives the names of all buckets of the store that the credentials own.
	Buckets(ctx context.Context) ([]string, error)
}

// Condition goes with a Put. The zero value asks for nothing.
type Condition struct {
	IfAbsent bool
	Mark     string // kept with the object as MarkHeader, unless empty
}

// MarkHeader is the metadata by which a writer knows its own object again.
const MarkHeader = "bucketmill-writer"

// DeleteBatch is the number of keys that one request may delete.
const DeleteBatch = 1000

// Bucket implements [objstore.Bucket] on Requests.
type Bucket struct {
	name     string
	requests Requests
	config   objstore.S3Config // with its defaults
	patience *patience
	counters objstore.Counters

	buffers, largeBuffers sync.Pool // of *[]byte, with capacities of config.Parts.Least and Most
}

var (
	_ objstore.Bucket        = (*Bucket)(nil)
	_ objstore.Meter         = (*Bucket)(nil)
	_ objstore.Presigner     = (*Bucket)(nil)
	_ objstore.BucketEnsurer = (*Bucket)(nil)
	_ objstore.BucketLister  = (*Bucket)(nil)
)

// New makes the bucket of that name, without a request. The config has its defaults filled in.
func New(name string, r Requests, c objstore.S3Config) (*Bucket, error) {
	if err := objstore.CheckBucketName(name); err != nil {
		return nil, err
	}
	c.Parts.Equal = c.Parts.Equal || wantsEqualParts(c.Endpoint)
	return &Bucket{name: name, requests: r, config: c, patience: newPatience(c.HedgeAfter)}, nil
}

// URL is "s3://" and the name.
func (b *Bucket) URL() string { return "s3://" + b.name }

// Stat asks for an object's headers.
func (b *Bucket) Stat(ctx context.Context, key string) (objstore.Object, error) {
	o, _, err := b.head(ctx, "stat", key)
	return o, err
}

func (b *Bucket) head(ctx context.Context, verb, key string) (o objstore.Object, mark string, err error) {
	if err := objstore.CheckKey(key); err != nil {
		return o, "", b.fail(verb, key, err)
	}
	o, err = do(ctx, b, verb, key, func(ctx context.Context, _ *watch) (o objstore.Object, err error) {
		o, mark, err = b.requests.Head(ctx, key)
		return o, err
	})
	return o, mark, err
}

// Presign implements [objstore.Presigner].
func (b *Bucket) Presign(ctx context.Context, method, key string, expires time.Duration) (string, error) {
	if err := objstore.CheckKey(key); err != nil {
		return "", b.fail("presign", key, err)
	}
	if method != http.MethodGet && method != http.MethodPut {
		return "", b.fail("presign", key, objstore.Invalidf("a link can't be for %s", method))
	}
	link, err := b.requests.Presign(ctx, method, key, expires)
	if err != nil {
		return "", b.fail("presign", key, err)
	}
	return link, nil
}

// Delete removes keys, DeleteBatch of them by each request.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := objstore.CheckNewKey(key); err != nil {
			return b.fail("delete", key, err)
		}
	}
	for start := 0; start < len(keys); start += DeleteBatch {
		batch := keys[start:min(start+DeleteBatch, len(keys))]
		_, err := do(ctx, b, "delete", batch[0], func(ctx context.Context, _ *watch) (struct{}, error) {
			return struct{}{}, b.requests.Delete(ctx, batch)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// List asks for a page at a time, and for the next when the last is used up.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(objstore.Object{}, b.fail("list", prefix, err))
			return
		}
		type page struct {
			objects []objstore.Object
			more    bool
		}
		for after, more := "", true; more; {
			p, err := do(ctx, b, "list", prefix, func(ctx context.Context, _ *watch) (p page, err error) {
				p.objects, p.more, err = b.requests.List(ctx, prefix, after)
				return p, err
			})
			if err != nil {
				yield(objstore.Object{}, err)
				return
			}
			for _, o := range p.objects {
				if !yield(o, nil) {
					return
				}
				after = o.Key
			}
			more = p.more && len(p.objects) > 0
		}
	}
}

// checkPrefix refuses prefixes of no key.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return objstore.CheckKey(prefix)
}

// EnsureBucket implements [objstore.BucketEnsurer].
func (b *Bucket) EnsureBucket(ctx context.Context) error {
	_, err := do(ctx, b, "create bucket", "", func(ctx context.Context, _ *watch) (struct{}, error) {
		err := b.requests.HeadBucket(ctx)
		if kind, _ := classify(err); !errors.Is(kind, objstore.ErrNotFound) {
			return struct{}{}, err
		}
		err = b.requests.CreateBucket(ctx)
		if codeOf(err) == "BucketAlreadyOwnedByYou" || codeOf(err) == "BucketAlreadyExists" {
			err = b.requests.HeadBucket(ctx) // somebody was faster; may we use theirs?
		}
		return struct{}{}, err
	})
	return err
}

// Buckets implements [objstore.BucketLister].
func (b *Bucket) Buckets(ctx context.Context) ([]string, error) {
	return do(ctx, b, "list buckets", "", func(ctx context.Context, _ *watch) ([]string, error) { return b.requests.Buckets(ctx) })
}
