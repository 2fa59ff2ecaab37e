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

// partsInFlight is the number of parts that are being sent while another is filled.
const partsInFlight = 2

// writer fills a part while it sends those before. The upload begins when the first part is full
// and more follows, so a small object needs no upload. A writer is confined to one goroutine,
// except what mu guards.
type writer struct {
	ctx    context.Context // of Create; it lasts until the writer ends
	bucket *Bucket
	key    string

	sends    *errgroup.Group
	sendsCtx context.Context // for sends; ends when a part fails
	cancel   context.CancelFunc

	buffer *[]byte // the part being filled; nil once the writer has ended
	offset int64   // of that part in the object
	number int     // of the part before it
	id     string  // of the upload; empty before the first part
	mark   string  // of the upload
	err    error   // the first error of Write

	mu   sync.Mutex
	sent []objstore.Part // guarded by mu: in the order in which they were sent
}

// Create returns a writer, without a request.
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
			w.err = w.nextPart()
			continue
		}
		part := *w.buffer
		n := copy(part[len(part):cap(part)], p[written:])
		*w.buffer = part[:len(part)+n]
		written += n
	}
	if w.err == nil {
		w.err = w.sendError()
	}
	return written, w.err
}

// sendError returns the error of a part that failed, or of the context.
func (w *writer) sendError() error {
	if w.sendsCtx.Err() == nil {
		return nil
	}
	err := context.Cause(w.sendsCtx)
	if w.ctx.Err() != nil {
		err = w.bucket.failContext("write", w.key, w.ctx.Err())
	}
	return err
}

// nextPart sends the part that is full and begins another.
func (w *writer) nextPart() error {
	if err := w.sendBuffer(); err != nil {
		return err
	}
	w.buffer = w.bucket.takeBuffer(w.bucket.config.Parts.After(w.offset))
	return nil
}

// sendBuffer hands the buffer to a goroutine. It waits for one to be free.
func (w *writer) sendBuffer() error {
	if err := w.sendError(); err != nil {
		return err
	}
	if w.number == objstore.MaxParts {
		return w.bucket.fail("write", w.key, objstore.Invalidf("the object needs more than %d parts", objstore.MaxParts))
	}
	if w.id == "" {
		mark := rand.Text()
		id, err := do(w.ctx, w.bucket, "start upload of", w.key, func(ctx context.Context, _ *watchdog) (string, error) {
			return w.bucket.requests.StartUpload(ctx, w.key, mark)
		})
		if err != nil {
			return err
		}
		w.id, w.mark = id, mark
	}
	w.number++
	w.offset += int64(len(*w.buffer))
	number, buffer := w.number, w.buffer
	w.buffer = new([]byte) // the goroutine has the buffer; nil would mean that the writer has ended
	w.sends.Go(func() error {
		defer w.bucket.returnBuffer(buffer)
		return w.sendPart(number, *buffer)
	})
	return nil
}

func (w *writer) sendPart(number int, data []byte) error {
	p := newPayload(data)
	verb := fmt.Sprintf("upload part %d of", number)
	etag, err := do(w.sendsCtx, w.bucket, verb, w.key, func(ctx context.Context, wd *watchdog) (string, error) {
		return w.bucket.requests.PutPart(ctx, w.key, w.id, number, w.bucket.watched(p, wd))
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
		err = w.sendBuffer()
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
	return objstore.Upload{Key: w.key, ID: w.id, Parts: w.sent, Size: w.offset, Mark: w.mark}, nil
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
	// If nothing proves which upload made the object, trust the store's answer.
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
	_ = w.sends.Wait() // errors of the parts no longer matter
	w.end()
	if w.id == "" {
		return nil
	}
	return w.bucket.abortDetached(w.ctx, objstore.Upload{Key: w.key, ID: w.id})
}

// abortDetached aborts an upload even if ctx has ended, within the request timeout.
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

// takeBuffer returns an empty buffer of this capacity. Buffers of the two usual sizes are reused.
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

// pool returns the pool for buffers of this capacity, or nil if there is none.
func (b *Bucket) pool(size int64) *sync.Pool {
	switch size {
	case b.config.Parts.Least:
		return &b.buffers
	case b.config.Parts.Most:
		return &b.largeBuffers
	}
	return nil
}
