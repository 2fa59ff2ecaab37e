package s3bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bucketmill/bucketmill/objstore"
)

// Answer is a body that has begun to come.
type Answer struct {
	Body  io.ReadCloser
	Size  int64  // of the body, in bytes; negative where the store did not say
	ETag  string // of the object
	Range string // the header Content-Range, empty where the body is the whole object
}

// Get sends the request and waits for the answer's headers.
func (b *Bucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return b.GetVersion(ctx, key, "", offset, length)
}

// GetVersion sends the ETag along as If-Match, and compares the one of the answer, since some stores
// ignore that header.
func (b *Bucket) GetVersion(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, error) {
	err := objstore.CheckKey(key)
	if err == nil && (offset < 0 || length < -1) {
		err = objstore.Invalidf("range of %d bytes from %d on", length, offset)
	}
	if err != nil {
		return nil, b.fail("get", key, err)
	}
	if length == 0 {
		o, err := b.Stat(ctx, key)
		if err == nil {
			err = b.sameVersion(o, etag)
		}
		if err != nil {
			return nil, err
		}
		return nothing{}, nil
	}
	r := &reader{ctx: ctx, bucket: b, key: key, etag: etag}
	size, err := attempts(ctx, b, "get", key, func() (int64, error) { return r.open(ctx, offset, length) })
	if errors.Is(err, objstore.ErrRange) {
		return b.pastEnd(ctx, key, etag, offset, err)
	}
	if err != nil {
		return nil, err
	}
	r.pos, r.end = offset, offset+size
	return r, nil
}

// pastEnd answers for a store that refuses ranges without bytes: one that starts at the very
// end of the object is fine.
func (b *Bucket) pastEnd(ctx context.Context, key, etag string, offset int64, refusal error) (io.ReadCloser, error) {
	o, err := b.Stat(ctx, key)
	if err == nil {
		err = b.sameVersion(o, etag)
	}
	switch {
	case err != nil:
		return nil, err
	case offset == o.Size:
		return nothing{}, nil
	case offset < o.Size:
		return nil, b.fail("get", key, fmt.Errorf("%w: it grew while the range was asked for", objstore.ErrChanged))
	}
	return nil, refusal
}

// sameVersion fails where an object is known to be another version than the one that is wanted.
func (b *Bucket) sameVersion(o objstore.Object, etag string) error {
	if differ(etag, o.ETag) {
		return b.fail("get", o.Key, otherVersion(etag, o.ETag))
	}
	return nil
}

// differ tells whether two ETags are of different versions. An empty one says nothing.
func differ(a, b string) bool { return a != "" && b != "" && a != b }

func otherVersion(want, got string) error {
	return fmt.Errorf("%w: its ETag is %s, not %s", objstore.ErrChanged, got, want)
}

// nothing is the reader of no bytes.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }
func (nothing) Close() error             { return nil }

// reader reads the bytes [pos, end) of one version of an object, by as many requests as it
// takes. It is confined to one goroutine.
type reader struct {
	ctx      context.Context
	bucket   *Bucket
	key      string
	etag     string // of the version: the one asked for, or that of the first answer
	pos, end int64  // from the object's start

	body  io.ReadCloser // nil while there is no connection
	watch *watch        // the body's
	fresh bool          // the last connection was no good: take a new one
}

// open asks for a range and checks that the answer is that. It returns the body's size.
func (r *reader) open(ctx context.Context, offset, length int64) (int64, error) {
	a, w, err := r.bucket.fastest(ctx, r.fresh, func(ctx context.Context) (Answer, error) {
		return r.bucket.requests.Get(ctx, r.key, offset, length, r.etag)
	})
	if err != nil {
		_, refused := errors.AsType[*Failure](err)
		r.fresh = !refused
		if kind, _ := classify(err); r.etag != "" && errors.Is(kind, objstore.ErrExists) { // 412
			err = fmt.Errorf("%w: %w", objstore.ErrChanged, err)
		}
		return 0, err
	}
	w.pause()
	err = a.check(offset, length)
	if err == nil && differ(r.etag, a.ETag) {
		err = otherVersion(r.etag, a.ETag)
	}
	if err != nil {
		err = errors.Join(err, a.Body.Close())
		w.end()
		return 0, err
	}
	if slow := r.bucket.patience.slow(); slow > 0 {
		w.hurry(slow, r.bucket.hedge)
	}
	r.body, r.watch, r.fresh = a.Body, w, false
	if r.etag == "" {
		r.etag = a.ETag
	}
	return a.Size, nil
}

func (a Answer) check(offset, length int64) error {
	switch {
	case a.Size < 0:
		return fmt.Errorf("%w: telling a body's size", objstore.ErrNotSupported)
	case offset > 0 && !strings.HasPrefix(a.Range, fmt.Sprintf("bytes %d-", offset)):
		return fmt.Errorf("%w: asked for the bytes from %d on it sends %q", objstore.ErrNotSupported, offset, a.Range)
	case length >= 0 && a.Size > length:
		return fmt.Errorf("%w: asked for %d bytes it sends %d", objstore.ErrNotSupported, length, a.Size)
	}
	return nil
}

// Read passes on what comes. When a body breaks, or ends before it should, it asks for the rest.
func (r *reader) Read(p []byte) (int, error) {
	if r.pos == r.end {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	p = p[:min(int64(len(p)), r.end-r.pos)]
	if r.body != nil {
		if n, _ := r.take(p); n > 0 {
			return n, nil
		}
	}
	return attempts(r.ctx, r.bucket, "read", r.key, func() (int, error) {
		rest := r.end - r.pos
		size, err := r.open(r.ctx, r.pos, rest)
		if err != nil {
			return 0, err
		}
		if size != rest {
			r.drop()
			return 0, fmt.Errorf("%w: the rest has %d bytes, not %d", objstore.ErrChanged, size, rest)
		}
		return r.take(p)
	})
}

// take reads from the present body, and drops it when it fails. It gives an error only with no
// bytes.
func (r *reader) take(p []byte) (int, error) {
	r.watch.feed(r.bucket.config.IdleTimeout)
	n, err := r.body.Read(p)
	r.watch.pause()
	r.pos += int64(n)
	r.bucket.counters.BytesRead.Add(int64(n))
	if err == nil && n == 0 {
		err = io.ErrNoProgress
	}
	if err != nil && r.pos < r.end {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		err = fmt.Errorf("the body broke off %d bytes before its end: %w", r.end-r.pos, r.watch.explain(err))
		r.drop()
	}
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// drop gives up the connection. It failed already, so that its Close has nothing to add.
func (r *reader) drop() {
	_ = r.body.Close()
	r.watch.end()
	r.body, r.fresh = nil, true
}

// Close may be called early; the rest of the body is not waited for.
func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	body := r.body
	r.body, r.end = nil, r.pos
	defer r.watch.end()
	if err := body.Close(); err != nil {
		return r.bucket.fail("close", r.key, err)
	}
	return nil
}
