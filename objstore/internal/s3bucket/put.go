package s3bucket

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/bucketmill/bucketmill/objstore"
)

// Put sends an object with one request.
func (b *Bucket) Put(ctx context.Context, key string, data []byte) (objstore.Object, error) {
	o, _, err := b.put(ctx, "put", key, newPayload(data), Condition{})
	return o, err
}

// PutIfAbsent sends If-None-Match. The object gets a mark of this call: if the first attempt wins
// but its answer is lost, the next one fails, and the mark shows that this call made the object.
func (b *Bucket) PutIfAbsent(ctx context.Context, key string, data []byte) (objstore.Object, error) {
	const verb = "put if absent"
	mark := rand.Text()
	o, tries, err := b.put(ctx, verb, key, newPayload(data), Condition{IfAbsent: true, Mark: mark})
	if tries == 1 || !errors.Is(err, objstore.ErrExists) {
		return o, err
	}
	there, theirs, herr := b.head(ctx, verb, key)
	switch {
	case herr == nil && theirs == mark:
		return there, nil
	case herr == nil || errors.Is(herr, objstore.ErrNotFound):
		return objstore.Object{}, err
	}
	return objstore.Object{}, fmt.Errorf("find out who won: %w", herr)
}

// put also returns the number of requests that it sent.
func (b *Bucket) put(ctx context.Context, verb, key string, p *Payload, c Condition) (o objstore.Object, tries int, err error) {
	if err := objstore.CheckNewKey(key); err != nil {
		return o, 0, b.fail(verb, key, err)
	}
	etag, err := do(ctx, b, verb, key, func(ctx context.Context, w *watchdog) (string, error) {
		tries++
		return b.requests.Put(ctx, key, b.watched(p, w), c)
	})
	if err != nil {
		return o, tries, err
	}
	return objstore.Object{Key: key, Size: p.Size, ETag: etag}, tries, nil
}

func (b *Bucket) watched(p *Payload, w *watchdog) *Payload {
	return p.watched(w, b.config.IdleTimeout, b.config.RequestTimeout)
}
