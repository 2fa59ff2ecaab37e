package s3bucket

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/bucketmill/bucketmill/objstore"
	"golang.org/x/sync/errgroup"
)

// partsInFlight are under way besides the one that is being filled.
const partsInFlight = 2

// writer gathers a part and sends it while the next is gathered. The upload begins with the first
// part that is full and not the last, so that a small object needs none. It is confined to one
// goroutine, but for what mu guards.
type writer struct {
	ctx    context.Context // the caller's
	bucket *Bucket
	key    string

	sends    *errgroup.Group
	sendsCtx context.Context // ends with the first part that fails
	cancel   context.CancelFunc

	buffer *[]byte // the part being gathered; nil once ended
	begun  int64   // bytes in the parts before it
	number int     // of the part before it
	id     string  // the upload's; empty before the first part
	mark   string  // that its object will carry
	err    error   // the first failure that Write returned

	mu   sync.Mutex
	sent []objstore.Part // guarded by mu: in the order of their arrival
}

// Create makes a writer, without a request.
func (b *Bucket) Create(ctx context.Context, key string) (objstore.Writer, error) {
	if err := objstore.CheckNewKey(key); err != nil {
		return nil, b.fail("create", key, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, b.failContext("create", key, err)
	}
	w := &writer{ctx: ctx, bucket: b, key: key, buffer: b.takeBuffer(b.config.Parts.After(0))}
	inner, cancel := context.WithCancel(ctx)
	w.cancel = cancel
	w.sends, w.sendsCtx = errgroup.WithContext(inner)
	w.sends.SetLimit(partsInFlight)
	return w, nil
}

func (w *writer) Write(p []byte) (int, error) {
	if w.buffer == nil {
		return 0, w.bucket.fail("write", w.key, errEnded)
	}
	written := 0
	for w.err == nil && written < len(p) {
		if len(*w.buffer) == cap(*w.buffer) {
			w.err = w.next()
			continue
		}
		part := *w.buffer
		n := copy(part[len(part):cap(part)], p[written:])
		*w.buffer = part[:len(part)+n]
		written += n
	}
	if w.err == nil {
		w.err = w.broken()
	}
	return written, w.err
}

// broken tells of a part that failed, or of the end of the context.
func (w *writer) broken() error {
	if w.sendsCtx.Err() == nil {
		return nil
	}
	err := context.Cause(w.sendsCtx)
	if w.ctx.Err() != nil {
		err = w.bucket.failContext("write", w.key, w.ctx.Err())
	}
	return err
}

// next sends the part that was gathered and begins another.
func (w *writer) next() error {
	if err := w.send(); err != nil {
		return err
	}
	w.buffer = w.bucket.takeBuffer(w.bucket.config.Parts.After(w.begun))
	return nil
}

// send hands the buffer over to a goroutine, once one is free.
func (w *writer) send() error {
	if err := w.broken(); err != nil {
		return err
	}
	if w.number == objstore.MaxParts {
		return w.bucket.fail("write", w.key, objstore.Invalidf("the object needs more than %d parts", objstore.MaxParts))
	}
	if w.id == "" {
		mark := rand.Text()
		id, err := do(w.ctx, w.bucket, "start upload of", w.key, func(ctx context.Context, _ *watch) (string, error) {
			return w.bucket.requests.StartUpload(ctx, w.key, mark)
		})
		if err != nil {
			return err
		}
		w.id, w.mark = id, mark
	}
	w.number++
	w.begun += int64(len(*w.buffer))
	number, buffer := w.number, w.buffer
	w.buffer = new([]byte) // not ours any longer, but not ended either
	w.sends.Go(func() error {
		defer w.bucket.returnBuffer(buffer)
		return w.sendPart(number, *buffer)
	})
	return nil
}

func (w *writer) sendPart(number int, data []byte) error {
	p := newPayload(data)
	verb := fmt.Sprintf("upload part %d of", number)
	etag, err := do(w.sendsCtx, w.bucket, verb, w.key, func(ctx context.Context, watch *watch) (string, error) {
		return w.bucket.requests.PutPart(ctx, w.key, w.id, number, w.bucket.watched(p, watch))
	})
	if err != nil && p.Size == 0 && errors.Is(err, objstore.ErrInvalid) {
		err = fmt.Errorf("the store takes no empty parts, so it can't hold an empty part of an output: %w", err)
	}
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, objstore.Part{Number: number, ETag: etag, Size: p.Size, CRC32C: p.CRC32C})
	return nil
}

func (w *writer) Seal() (objstore.Upload, error) {
	if w.buffer == nil {
		return objstore.Upload{}, w.bucket.fail("seal", w.key, errEnded)
	}
	err := w.err
	if err == nil && (len(*w.buffer) > 0 || w.number == 0) {
		err = w.send()
	}
	if err == nil {
		err = w.sends.Wait()
	}
	if err != nil {
		return objstore.Upload{}, errors.Join(err, w.Abort())
	}
	w.end()
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortFunc(w.sent, func(a, b objstore.Part) int { return cmp.Compare(a.Number, b.Number) })
	return objstore.Upload{Key: w.key, ID: w.id, Parts: w.sent, Size: w.begun, Mark: w.mark}, nil
}

func (w *writer) Commit() (objstore.Object, error) {
	if w.buffer == nil {
		return objstore.Object{}, w.bucket.fail("commit", w.key, errEnded)
	}
	if w.err == nil && w.id == "" {
		defer w.end()
		o, _, err := w.bucket.put(w.ctx, "commit", w.key, newPayload(*w.buffer), Condition{})
		return o, err
	}
	u, err := w.Seal()
	if err != nil {
		return objstore.Object{}, err
	}
	// Where nothing tells whose the object is, the store's word has to do.
	o, _, err := w.bucket.complete(w.ctx, u)
	if err != nil {
		return objstore.Object{}, errors.Join(err, w.bucket.abortDetached(w.ctx, u))
	}
	return o, nil
}

func (w *writer) Abort() error {
	if w.buffer == nil {
		return nil
	}
	w.cancel()
	_ = w.sends.Wait() // how the parts end does not matter any longer
	w.end()
	if w.id == "" {
		return nil
	}
	return w.bucket.abortDetached(w.ctx, objstore.Upload{Key: w.key, ID: w.id})
}

// abortDetached cleans up also after the context has ended, in a request timeout of its own.
func (b *Bucket) abortDetached(ctx context.Context, u objstore.Upload) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.config.RequestTimeout)
	defer cancel()
	return b.Abort(ctx, u)
}

func (w *writer) end() {
	w.cancel()
	w.bucket.returnBuffer(w.buffer)
	w.buffer = nil
}

var errEnded = objstore.Invalidf("the writer has ended")

// takeBuffer gives an empty part of that capacity. Those of the two usual sizes are used again.
func (b *Bucket) takeBuffer(size int64) *[]byte {
	if pool := b.pool(size); pool != nil {
		if buffer, ok := pool.Get().(*[]byte); ok {
			return buffer
		}
	}
	buffer := make([]byte, 0, size)
	return &buffer
}

func (b *Bucket) returnBuffer(buffer *[]byte) {
	if pool := b.pool(int64(cap(*buffer))); pool != nil {
		*buffer = (*buffer)[:0]
		pool.Put(buffer)
	}
}

// pool returns where buffers of that capacity are kept; nil: nowhere.
func (b *Bucket) pool(size int64) *sync.Pool {
	switch size {
	case b.config.Parts.Least:
		return &b.buffers
	case b.config.Parts.Most:
		return &b.largeBuffers
	}
	return nil
}
