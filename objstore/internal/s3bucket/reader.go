package s3bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bucketmill/bucketmill/objstore"
)

// Answer is the answer to a Get whose headers have arrived.
type Answer struct {
	Body  io.ReadCloser
	Size  int64  // of the body, in bytes; negative if the store did not say
	ETag  string // of the object
	Range string // the header Content-Range; empty if the body is the whole object
}

// Get sends the request and waits for the answer's headers.
func (b *Bucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return b.GetVersion(ctx, key, "", offset, length)
}

// GetVersion sends the ETag as If-Match. It also compares the ETag of the answer, since some stores
// ignore that header.
func (b *Bucket) GetVersion(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, error) {
	err := objstore.CheckKey(key)
	if err == nil && (offset < 0 || length < -1) {
		err = objstore.Invalidf("a range of %d bytes at offset %d is not valid", length, offset)
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
	size, err := retry(ctx, b, "get", key, func() (int64, error) { return r.request(ctx, offset, length) })
	if errors.Is(err, objstore.ErrRange) {
		return b.pastEnd(ctx, key, etag, offset, err)
	}
	if err != nil {
		return nil, err
	}
	r.pos, r.end = offset, offset+size
	return r, nil
}

// pastEnd handles a range without bytes, which stores refuse: it is an error unless the range
// starts at the very end of the object.
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
		return nil, b.fail("get", key, fmt.Errorf("%w: it grew while the range was requested", objstore.ErrChanged))
	}
	return nil, refusal
}

// sameVersion fails if the object has another ETag than the wanted one.
func (b *Bucket) sameVersion(o objstore.Object, etag string) error {
	if differ(etag, o.ETag) {
		return b.fail("get", o.Key, otherVersion(etag, o.ETag))
	}
	return nil
}

// differ reports whether two ETags are of different versions. An empty one says nothing.
func differ(a, b string) bool { return a != "" && b != "" && a != b }

func otherVersion(want, got string) error {
	return fmt.Errorf("%w: its ETag is %s, not %s", objstore.ErrChanged, got, want)
}

// nothing is the reader of no bytes.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }
func (nothing) Close() error             { return nil }

// reader reads the bytes [pos, end) of one version of an object, with as many requests as needed.
// It is confined to one goroutine.
type reader struct {
	ctx      context.Context // of Get; it lasts until Close
	bucket   *Bucket
	key      string
	etag     string // of the version: the one asked for, or that of the first answer
	pos, end int64  // from the object's start

	body     io.ReadCloser // nil without a connection
	watchdog *watchdog     // of the body
	fresh    bool          // the last connection failed: use a new one
}

// request requests a range and checks that the answer is that range. It returns the body's size.
func (r *reader) request(ctx context.Context, offset, length int64) (int64, error) {
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
	if slow := r.bucket.patience.slowAfter(); slow > 0 {
		w.limitStalls(slow, r.bucket.hedge)
	}
	r.body, r.watchdog, r.fresh = a.Body, w, false
	if r.etag == "" {
		r.etag = a.ETag
	}
	return a.Size, nil
}

// check fails if the answer is not the range that was requested.
func (a Answer) check(offset, length int64) error {
	switch {
	case a.Size < 0:
		return fmt.Errorf("%w: it does not send the size of a body", objstore.ErrNotSupported)
	case offset > 0 && !strings.HasPrefix(a.Range, fmt.Sprintf("bytes %d-", offset)):
		return fmt.Errorf("%w: it was asked for bytes at offset %d and sends %q", objstore.ErrNotSupported, offset, a.Range)
	case length >= 0 && a.Size > length:
		return fmt.Errorf("%w: it was asked for %d bytes and sends %d", objstore.ErrNotSupported, length, a.Size)
	}
	return nil
}

// Read returns what arrives. If the body breaks or ends early, it requests the rest.
func (r *reader) Read(p []byte) (int, error) {
	if r.pos == r.end {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	p = p[:min(int64(len(p)), r.end-r.pos)]
	if r.body != nil {
		if n, _ := r.readBody(p); n > 0 {
			return n, nil
		}
	}
	return retry(r.ctx, r.bucket, "read", r.key, func() (int, error) {
		rest := r.end - r.pos
		size, err := r.request(r.ctx, r.pos, rest)
		if err != nil {
			return 0, err
		}
		if size != rest {
			r.dropBody()
			return 0, fmt.Errorf("%w: %d bytes are left, not %d", objstore.ErrChanged, size, rest)
		}
		return r.readBody(p)
	})
}

// readBody reads from the current body, and drops it if it fails. It returns an error only without
// bytes.
func (r *reader) readBody(p []byte) (int, error) {
	r.watchdog.feed(r.bucket.config.IdleTimeout)
	n, err := r.body.Read(p)
	r.watchdog.pause()
	r.pos += int64(n)
	r.bucket.counters.BytesRead.Add(int64(n))
	if err == nil && n == 0 {
		err = io.ErrNoProgress
	}
	if err != nil && r.pos < r.end {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		err = fmt.Errorf("the body broke off %d bytes before its end: %w", r.end-r.pos, r.watchdog.explain(err))
		r.dropBody()
	}
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// dropBody gives up the connection. It has failed already, so the error of its Close is ignored.
func (r *reader) dropBody() {
	_ = r.body.Close()
	r.watchdog.end()
	r.body, r.fresh = nil, true
}

// Close may be called early; it does not wait for the rest of the body.
func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	body := r.body
	r.body, r.end = nil, r.pos
	defer r.watchdog.end()
	if err := body.Close(); err != nil {
		return r.bucket.fail("close", r.key, err)
	}
	return nil
}
