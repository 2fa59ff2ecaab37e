package file

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

// writeBuffer is the size in bytes of a writer's buffer. Larger writes bypass it.
const writeBuffer = 1 << 20

var writeBuffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, writeBuffer) }}

// Create opens a pending file in the object's folder.
func (b *Bucket) Create(ctx context.Context, key string) (objstore.Writer, error) {
	p, err := b.createPending(ctx, key)
	if err != nil {
		return nil, b.fail("create", key, err)
	}
	w := &writer{ctx: ctx, pending: p, buf: bufferFor(p.file)}
	return w, nil
}

func bufferFor(f *os.File) *bufio.Writer {
	buf, ok := writeBuffers.Get().(*bufio.Writer)
	if !ok {
		buf = bufio.NewWriterSize(nil, writeBuffer)
	}
	buf.Reset(f)
	return buf
}

// pending is an open pending file.
type pending struct {
	bucket *Bucket
	key    string
	path   string // of the pending file
	target string // of the object
	file   *os.File
}

func (b *Bucket) createPending(ctx context.Context, key string) (*pending, error) {
	target, err := b.resolve(ctx, key)
	if err != nil {
		return nil, err
	}
	name, err := pendingFor(target)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(filepath.Dir(target), name)
	f, err := b.folders.create(path)
	if err != nil {
		return nil, err
	}
	return &pending{bucket: b, key: key, path: path, target: target, file: f}, nil
}

// finish syncs the file to the disk and closes it. It sets the modification time itself, because
// the ETag needs a finer one than the kernel's clock tick gives.
func (p *pending) finish() (fs.FileInfo, error) {
	err := os.Chtimes(p.path, time.Time{}, time.Now())
	if err == nil {
		err = p.file.Sync()
	}
	info, serr := p.file.Stat()
	if err = errors.Join(err, serr, p.file.Close()); err != nil {
		return nil, err
	}
	return info, nil
}

// discard closes the file, if it is open, and removes it.
func (p *pending) discard() error {
	if err := p.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return errors.Join(err, p.bucket.removePending(p.path))
	}
	return p.bucket.removePending(p.path)
}

// removePending removes a pending file, and its folder if that is empty and was made here.
func (b *Bucket) removePending(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(withoutPath(err), errNotFolder) {
		err = nil
	}
	b.folders.prune(filepath.Dir(path))
	return err
}

// Put writes a pending file and renames it.
func (b *Bucket) Put(ctx context.Context, key string, data []byte) (objstore.Object, error) {
	return b.put(ctx, "put", key, data, os.Rename)
}

// PutIfAbsent writes a pending file and links it, which fails if the name exists. It needs a file
// system with hard links; elsewhere it fails with ErrNotSupported.
func (b *Bucket) PutIfAbsent(ctx context.Context, key string, data []byte) (objstore.Object, error) {
	return b.put(ctx, "put if absent", key, data, linkNew)
}

// put writes a pending file and calls place to give it its name.
func (b *Bucket) put(ctx context.Context, verb, key string, data []byte, place func(from, to string) error) (objstore.Object, error) {
	b.counters.countPut(int64(len(data)))
	p, err := b.createPending(ctx, key)
	if err != nil {
		return objstore.Object{}, b.fail(verb, key, err)
	}
	info, err := p.put(ctx, data, place)
	if err != nil {
		return objstore.Object{}, errors.Join(b.fail(verb, key, err), p.discard())
	}
	return describe(key, info), nil
}

func (p *pending) put(ctx context.Context, data []byte, place func(from, to string) error) (fs.FileInfo, error) {
	if _, err := p.file.Write(data); err != nil {
		return nil, err
	}
	info, err := p.finish()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := place(p.path, p.target); err != nil {
		return nil, explainFolder(p.target, err)
	}
	return info, syncFolder(filepath.Dir(p.target))
}

// explainFolder explains why a file could not get its name, if a folder has it.
func explainFolder(target string, err error) error {
	if info, serr := os.Lstat(target); serr == nil && info.IsDir() {
		return objstore.Invalidf("a folder has that name")
	}
	return err
}
