package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/objstoretest"
)

// storeURL names the one bucket of a run.
const storeURL = "s3://simulated"

// storeWorld is the object store of a run: the features of S3, in memory. Only the scheduler calls
// it.
type storeWorld struct {
	objects map[string]stored
	uploads map[string]upload // by id
	made    int               // uploads and objects so far
	writer  *process          // of the request that is executed
	late    map[string]bool   // objects that were removed by requests that no process waited for

	deviates deviation
	asked    map[string]bool // uploads, by id, whose completion was requested

	completions, abortsAt int  // before the abortsAt-th completion all uploads of outputs are aborted, as some tools do
	aborted               bool // that has happened
}

// deviation is how a store's answer to the completion of an upload differs from S3's.
type deviation int

const (
	faithful deviation = iota
	trusting           // "completed" for a missing upload if any object has its key, as VersityGW
	failing            // "internal error" for a missing upload, as Ceph's RGW
	lazy               // "completed" the first time, before anything is done
	deviations
)

var errInternal = errors.New("internal error")

type stored struct {
	data   []byte
	etag   string
	upload string // the id of the upload that made the object, if any
	made   time.Time
	writer *process
}

type upload struct {
	key    string
	data   []byte
	sealed bool
	begun  time.Time
	writer *process
}

func newStoreWorld() *storeWorld {
	return &storeWorld{objects: map[string]stored{}, uploads: map[string]upload{}, late: map[string]bool{}, asked: map[string]bool{}}
}

func (w *storeWorld) put(key string, data []byte, from string) objstore.Object {
	w.made++
	w.objects[key] = stored{data: data, etag: fmt.Sprintf("e%d", w.made), upload: from, made: time.Now(), writer: w.writer}
	return w.describe(key)
}

func (w *storeWorld) describe(key string) objstore.Object {
	o := w.objects[key]
	return objstore.Object{Key: key, Size: int64(len(o.data)), ETag: o.etag, ModTime: o.made}
}

// complete returns the store's answer, which may differ from what it did.
func (w *storeWorld) complete(u objstore.Upload) error {
	if w.completions++; w.completions == w.abortsAt {
		w.aborted = true
		maps.DeleteFunc(w.uploads, func(_ string, u upload) bool { return strings.HasPrefix(u.key, "out") })
	}
	up, ok := w.uploads[u.ID]
	_, there := w.objects[u.Key]
	again := w.asked[u.ID]
	w.asked[u.ID] = true
	switch {
	case ok && (up.key != u.Key || !up.sealed || len(u.Parts) != 1 || u.Parts[0].ETag != u.ID), u.ID == "", len(u.Parts) != 1:
		return objstore.ErrInvalid
	case ok && w.deviates == lazy && !again:
		return nil
	case ok:
		delete(w.uploads, u.ID)
		w.put(u.Key, up.data, u.ID)
		return nil
	case w.deviates == trusting && there:
		return nil
	case w.deviates == failing:
		return errInternal
	}
	return objstore.ErrNotFound
}

// keys returns the keys below a prefix, in order.
func (w *storeWorld) keys(prefix string) []string {
	keys := slices.Sorted(maps.Keys(w.objects))
	return slices.DeleteFunc(keys, func(k string) bool { return !strings.HasPrefix(k, prefix) })
}

// uploadsBelow returns the uploads below a prefix, ordered by key.
func (w *storeWorld) uploadsBelow(prefix string) []objstore.Upload {
	var all []objstore.Upload
	for id, u := range w.uploads {
		if strings.HasPrefix(u.key, prefix) {
			all = append(all, objstore.Upload{Key: u.key, ID: id, Begun: u.begun})
		}
	}
	slices.SortFunc(all, func(a, b objstore.Upload) int { return strings.Compare(a.Key+" "+a.ID, b.Key+" "+b.ID) })
	return all
}

// bucket is one process's client of the store. Each request goes through do, which decides when to
// call exec, if at all.
type bucket struct {
	world *storeWorld
	do    func(ctx context.Context, what string, exec func(damaged bool) error) error
}

var _ objstore.Bucket = (*bucket)(nil)

// open returns the Opener of a process.
func (s *sim) open(p *process) func(context.Context, string) (objstore.Bucket, string, error) {
	b := &bucket{world: s.store, do: func(ctx context.Context, what string, exec func(bool) error) error {
		r := &request{process: p, service: storeService, what: what}
		r.exec = func(r *request) { r.err = exec(r.damaged) }
		if err := ctx.Err(); err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() { s.giveUp(r, ctx.Err()) })
		defer stop()
		alarm := time.AfterFunc(requestTimeout, func() { s.giveUp(r, objstore.ErrUnavailable) })
		defer alarm.Stop()
		return s.ask(r)
	}}
	return func(_ context.Context, url string) (objstore.Bucket, string, error) {
		key, ok := strings.CutPrefix(url, storeURL)
		if !ok {
			return nil, "", fmt.Errorf("open %s: %w", url, objstore.ErrInvalid)
		}
		return b, strings.TrimPrefix(key, "/"), nil
	}
}

func (b *bucket) URL() string { return storeURL }

func fail(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s/%s: %w", storeURL, what, err)
}

func checkKey(key string) error {
	if key == "" || strings.HasPrefix(key, "/") || strings.ContainsRune(key, 0) {
		return objstore.ErrInvalid
	}
	return nil
}

// one sends a request about a key.
func (b *bucket) one(ctx context.Context, verb, key string, exec func(damaged bool) error) error {
	if err := checkKey(key); err != nil {
		return fail(key, err)
	}
	return fail(key, b.do(ctx, verb+" "+key, exec))
}

func (b *bucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return b.GetVersion(ctx, key, "", offset, length)
}

func (b *bucket) GetVersion(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, error) {
	if offset < 0 || length < -1 {
		return nil, fail(key, objstore.ErrInvalid)
	}
	var data []byte
	err := b.one(ctx, fmt.Sprintf("get[%d+%d]", offset, length), key, func(damaged bool) error {
		o, ok := b.world.objects[key]
		size := int64(len(o.data))
		switch {
		case !ok:
			return objstore.ErrNotFound
		case etag != "" && etag != o.etag:
			return objstore.ErrChanged
		case offset > size && length != 0:
			return objstore.ErrRange
		}
		offset := min(offset, size)
		end := size
		if length >= 0 {
			end = min(size, offset+length)
		}
		data = o.data[offset:end]
		if damaged && len(data) > 0 {
			data = bytes.Clone(data)
			data[len(data)/2] ^= 1
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &reader{ctx: ctx, key: key, data: bytes.NewReader(data)}, nil
}

type reader struct {
	ctx  context.Context
	key  string
	data *bytes.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, fail(r.key, err)
	}
	return r.data.Read(p)
}

func (r *reader) Close() error { return nil }

func (b *bucket) Stat(ctx context.Context, key string) (o objstore.Object, err error) {
	err = b.one(ctx, "stat", key, func(bool) error {
		if _, ok := b.world.objects[key]; !ok {
			return objstore.ErrNotFound
		}
		o = b.world.describe(key)
		return nil
	})
	return o, err
}

func (b *bucket) Put(ctx context.Context, key string, data []byte) (o objstore.Object, err error) {
	data = bytes.Clone(data)
	err = b.one(ctx, fmt.Sprintf("put[%d]", len(data)), key, func(bool) error {
		o = b.world.put(key, data, "")
		return nil
	})
	return o, err
}

func (b *bucket) PutIfAbsent(ctx context.Context, key string, data []byte) (o objstore.Object, err error) {
	data = bytes.Clone(data)
	err = b.one(ctx, "put if absent", key, func(bool) error {
		if _, ok := b.world.objects[key]; ok {
			return objstore.ErrExists
		}
		o = b.world.put(key, data, "")
		return nil
	})
	return o, err
}

func (b *bucket) Create(ctx context.Context, key string) (objstore.Writer, error) {
	if err := checkKey(key); err != nil {
		return nil, fail(key, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fail(key, err)
	}
	return &writer{ctx: ctx, bucket: b, key: key}, nil
}

// Complete sends the request, and checks the result, as the drivers do.
func (b *bucket) Complete(ctx context.Context, u objstore.Upload) (o objstore.Object, err error) {
	var answer error
	made := false
	for n := 0; n < 2 && !made && answer == nil && err == nil; n++ {
		err = b.one(ctx, "complete", u.Key, func(bool) error {
			if answer = b.world.complete(u); errors.Is(answer, objstore.ErrInvalid) {
				return answer
			}
			return nil
		})
		if err == nil && errors.Is(answer, errInternal) {
			err = b.one(ctx, "find upload of", u.Key, func(bool) error {
				if _, ok := b.world.uploads[u.ID]; ok {
					return objstore.ErrUnavailable
				}
				return nil
			})
		}
		if err == nil {
			err = b.one(ctx, "who completed", u.Key, func(bool) error {
				o, made = b.world.describe(u.Key), b.world.objects[u.Key].upload == u.ID
				return nil
			})
		}
	}
	if err == nil && !made {
		err = fail(u.Key, objstore.ErrNotFound)
	}
	return o, err
}

func (b *bucket) Made(ctx context.Context, u objstore.Upload) (made bool, err error) {
	err = b.one(ctx, "who made", u.Key, func(bool) error {
		if u.ID == "" || len(u.Parts) != 1 {
			return objstore.ErrInvalid
		}
		made = b.world.objects[u.Key].upload == u.ID
		return nil
	})
	return made, err
}

func (b *bucket) Abort(ctx context.Context, u objstore.Upload) error {
	return b.one(ctx, "abort", u.Key, func(bool) error {
		if up, ok := b.world.uploads[u.ID]; u.ID == "" || ok && up.key != u.Key {
			return objstore.ErrInvalid
		}
		delete(b.world.uploads, u.ID)
		return nil
	})
}

// requestTimeout is how long a driver waits for an answer.
const requestTimeout = 5 * time.Second

// batch is how many keys go into one request.
const batch = 1000

func (b *bucket) Delete(ctx context.Context, keys ...string) error {
	for some := range slices.Chunk(keys, batch) {
		for _, key := range some {
			if err := checkKey(key); err != nil {
				return fail(key, err)
			}
		}
		if err := b.do(ctx, "delete "+names(some), func(bool) error {
			for _, key := range some {
				delete(b.world.objects, key)
				b.world.late[key] = b.world.writer != nil && b.world.writer.past
			}
			return nil
		}); err != nil {
			return fail(some[0], err)
		}
	}
	return nil
}

// names lists keys in an order that does not depend on random names.
func names(keys []string) string {
	var names []string
	for _, key := range keys {
		names = append(names, pagesName.ReplaceAllString(key, "PAGES"))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func (b *bucket) List(ctx context.Context, prefix string) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		var found []objstore.Object
		err := b.do(ctx, "list "+prefix, func(bool) error {
			for _, key := range b.world.keys(prefix) {
				found = append(found, b.world.describe(key))
			}
			return nil
		})
		if err != nil {
			yield(objstore.Object{}, fail(prefix, err))
			return
		}
		for _, o := range found {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (b *bucket) Uploads(ctx context.Context, prefix string) iter.Seq2[objstore.Upload, error] {
	return func(yield func(objstore.Upload, error) bool) {
		var found []objstore.Upload
		err := b.do(ctx, "list uploads "+prefix, func(bool) error {
			found = b.world.uploadsBelow(prefix)
			return nil
		})
		if err != nil {
			yield(objstore.Upload{}, fail(prefix, err))
			return
		}
		for _, u := range found {
			if !yield(u, nil) {
				return
			}
		}
	}
}

// writer collects an object and sends it when it is sealed (two requests, like a multipart upload)
// or committed (one request).
type writer struct {
	ctx    context.Context
	bucket *bucket
	key    string
	data   []byte
	err    error
	ended  bool
}

func (w *writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, fail(w.key, objstore.ErrInvalid)
	}
	if w.err == nil {
		w.err = fail(w.key, w.ctx.Err())
	}
	if w.err != nil {
		return 0, w.err
	}
	w.data = append(w.data, p...)
	return len(p), nil
}

func (w *writer) end() error {
	if w.ended {
		return fail(w.key, objstore.ErrInvalid)
	}
	w.ended = true
	if w.err == nil {
		w.err = fail(w.key, w.ctx.Err())
	}
	return w.err
}

func (w *writer) Seal() (objstore.Upload, error) {
	if err := w.end(); err != nil {
		return objstore.Upload{}, err
	}
	world, id, data := w.bucket.world, "", w.data
	err := w.bucket.one(w.ctx, "begin upload", w.key, func(bool) error {
		world.made++
		id = fmt.Sprintf("u%d", world.made)
		world.uploads[id] = upload{key: w.key, begun: time.Now(), writer: world.writer}
		return nil
	})
	if err != nil {
		return objstore.Upload{}, err
	}
	err = w.bucket.one(w.ctx, fmt.Sprintf("upload part[%d]", len(data)), w.key, func(bool) error {
		u, ok := world.uploads[id]
		if !ok {
			return objstore.ErrNotFound // aborted in between
		}
		u.data, u.sealed = data, true
		world.uploads[id] = u
		return nil
	})
	u := objstore.Upload{Key: w.key, ID: id, Size: int64(len(data))}
	if err != nil {
		return objstore.Upload{}, errors.Join(err, w.bucket.Abort(context.WithoutCancel(w.ctx), u))
	}
	u.Parts = []objstore.Part{{Number: 1, ETag: id, Size: u.Size}}
	return u, nil
}

func (w *writer) Commit() (objstore.Object, error) {
	if err := w.end(); err != nil {
		return objstore.Object{}, err
	}
	return w.bucket.Put(w.ctx, w.key, w.data)
}

func (w *writer) Abort() error {
	w.ended = true
	return nil
}

// The simulated store passes the drivers' contract suite, with all deviations.
func TestStoreContract(t *testing.T) {
	for deviates := range deviations {
		t.Run(fmt.Sprint(deviates), func(t *testing.T) {
			world := newStoreWorld()
			world.deviates = deviates
			var mu sync.Mutex
			objstoretest.Run(t, func(*testing.T) objstore.Bucket {
				return &bucket{world: world, do: func(ctx context.Context, _ string, exec func(bool) error) error {
					if err := ctx.Err(); err != nil {
						return err
					}
					mu.Lock()
					defer mu.Unlock()
					return exec(false)
				}}
			})
		})
	}
}
