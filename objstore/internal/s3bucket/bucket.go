// Package s3bucket is what the S3 drivers share: an [objstore.Bucket] built on single requests.
//
// A driver implements [Requests], one method for one request, with its library's own retries
// switched off. Everything else is written once, here:
//
//	retry.go     retries requests, with exponential backoff and full jitter
//	watchdog.go  limits the time of a request, and the time in which its body makes no progress
//	hedge.go     sends slow reads again; patience.go decides which are slow
//	failure.go   classifies answers and broken connections as errors of package objstore
//	reader.go    resumes bodies that break
//	writer.go    cuts an object into upload parts and sends a few of them at a time
//	upload.go    completes uploads, repeatedly if needed, and aborts them
//	own.go       finds out which upload made an object
//	gone.go      finds out whether a failing store still has an upload
//	stats.go     counts the requests that transport.go sees
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

// Requests sends single requests to one bucket and waits for their answers. It neither retries them
// nor limits their time. It returns a refusal by the store as a *[Failure], and any other error
// unchanged. It is safe for concurrent use.
type Requests interface {
	// Get requests the bytes [offset, offset+length), or up to the end if length is -1, of the
	// version with this ETag, or of any version if etag is empty. ctx lasts as long as the body.
	Get(ctx context.Context, key string, offset, length int64, etag string) (Answer, error)
	// Head describes an object and returns the mark that Put or StartUpload left on it.
	Head(ctx context.Context, key string) (o objstore.Object, mark string, err error)
	// Put returns the ETag.
	Put(ctx context.Context, key string, p *Payload, c Condition) (etag string, err error)
	Delete(ctx context.Context, keys []string) error // at most DeleteBatch keys

	// StartUpload begins an upload. Its object will have the mark as metadata MarkHeader.
	StartUpload(ctx context.Context, key, mark string) (id string, err error)
	PutPart(ctx context.Context, key, id string, number int, p *Payload) (etag string, err error)
	CompleteUpload(ctx context.Context, u objstore.Upload) (etag string, err error)
	AbortUpload(ctx context.Context, key, id string) error
	// FindUpload asks for the parts of an upload. It fails if the store has no such upload.
	FindUpload(ctx context.Context, key, id string) error

	// List returns the page of objects that follows the key after.
	List(ctx context.Context, prefix, after string) (page []objstore.Object, more bool, err error)
	// Uploads returns the page of uploads that follows after: its key and, unless empty, its id.
	Uploads(ctx context.Context, prefix string, after objstore.Upload) (page []objstore.Upload, more bool, err error)

	// Presign signs a GET or PUT of an object. It sends nothing.
	Presign(ctx context.Context, method, key string, expires time.Duration) (string, error)

	HeadBucket(ctx context.Context) error
	CreateBucket(ctx context.Context) error
	// Buckets returns the names of all buckets of the store that the credentials own.
	Buckets(ctx context.Context) ([]string, error)
}

// Condition modifies a Put. The zero value changes nothing.
type Condition struct {
	IfAbsent bool
	Mark     string // stored with the object as metadata MarkHeader, unless empty
}

// MarkHeader is the metadata by which a writer recognises its own object.
const MarkHeader = "bucketmill-writer"

// DeleteBatch is the number of keys that one request can delete.
const DeleteBatch = 1000

// Bucket implements [objstore.Bucket] on Requests.
type Bucket struct {
	name     string
	requests Requests
	config   objstore.S3Config // with defaults
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

// New returns the bucket with this name, without a request. The config comes from Resolve.
func New(name string, r Requests, c objstore.S3Config) (*Bucket, error) {
	if err := objstore.CheckBucketName(name); err != nil {
		return nil, err
	}
	c.Parts.Equal = c.Parts.Equal || wantsEqualParts(c.Endpoint)
	return &Bucket{name: name, requests: r, config: c, patience: newPatience(c.HedgeAfter)}, nil
}

// URL returns "s3://" and the name.
func (b *Bucket) URL() string { return "s3://" + b.name }

// Stat requests the object's headers.
func (b *Bucket) Stat(ctx context.Context, key string) (objstore.Object, error) {
	o, _, err := b.head(ctx, "stat", key)
	return o, err
}

func (b *Bucket) head(ctx context.Context, verb, key string) (o objstore.Object, mark string, err error) {
	if err := objstore.CheckKey(key); err != nil {
		return o, "", b.fail(verb, key, err)
	}
	o, err = do(ctx, b, verb, key, func(ctx context.Context, _ *watchdog) (o objstore.Object, err error) {
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
		return "", b.fail("presign", key, objstore.Invalidf("a link can be for GET or PUT, not for %s", method))
	}
	link, err := b.requests.Presign(ctx, method, key, expires)
	if err != nil {
		return "", b.fail("presign", key, err)
	}
	return link, nil
}

// Delete removes keys, DeleteBatch of them with each request.
func (b *Bucket) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := objstore.CheckNewKey(key); err != nil {
			return b.fail("delete", key, err)
		}
	}
	for start := 0; start < len(keys); start += DeleteBatch {
		batch := keys[start:min(start+DeleteBatch, len(keys))]
		_, err := do(ctx, b, "delete", batch[0], func(ctx context.Context, _ *watchdog) (struct{}, error) {
			return struct{}{}, b.requests.Delete(ctx, batch)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// List requests a page, and the next one when the caller has had all of it.
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
			p, err := do(ctx, b, "list", prefix, func(ctx context.Context, _ *watchdog) (p page, err error) {
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

// checkPrefix refuses a prefix that no key can have.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return objstore.CheckKey(prefix)
}

// EnsureBucket implements [objstore.BucketEnsurer].
func (b *Bucket) EnsureBucket(ctx context.Context) error {
	_, err := do(ctx, b, "create bucket", "", func(ctx context.Context, _ *watchdog) (struct{}, error) {
		err := b.requests.HeadBucket(ctx)
		if kind, _ := classify(err); !errors.Is(kind, objstore.ErrNotFound) {
			return struct{}{}, err
		}
		err = b.requests.CreateBucket(ctx)
		if codeOf(err) == "BucketAlreadyOwnedByYou" || codeOf(err) == "BucketAlreadyExists" {
			err = b.requests.HeadBucket(ctx) // another caller was faster; check that this one may use the bucket
		}
		return struct{}{}, err
	})
	return err
}

// Buckets implements [objstore.BucketLister].
func (b *Bucket) Buckets(ctx context.Context) ([]string, error) {
	return do(ctx, b, "list buckets", "", func(ctx context.Context, _ *watchdog) ([]string, error) { return b.requests.Buckets(ctx) })
}
