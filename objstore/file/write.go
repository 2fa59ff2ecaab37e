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

// writeBuffer is what a writer gathers before it calls the system. Larger writes pass it by.
const writeBuffer = 1 << 20 // bytes

var writeBuffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, writeBuffer) }}

// Create opens a pending file beside key.
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
	target, err := b.begin(ctx, key)
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

// finish puts the contents on the disk and closes the file. It sets the modification time itself,
// because the ETag needs one finer than the kernel's tick.
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

// discard removes the file, closing it if it is still open.
func (p *pending) discard() error {
	if err := p.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return errors.Join(err, p.bucket.remove(p.path))
	}
	return p.bucket.remove(p.path)
}

// remove takes a pending file away, and its folder with it where that is ours and empty.
func (b *Bucket) remove(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(bare(err), errNotFolder) {
		err = nil
	}
	b.folders.prune(filepath.Dir(path))
	return err
}

// Put writes a pending file and renames it.
func (b *Bucket) Put(ctx context.Context, key string, data []byte) (objstore.Object, error) {
	return b.put(ctx, "put", key, data, os.Rename)
}

// PutIfAbsent writes a pending file and links it, which fails where the name is taken. It needs
// a file system with hard links and says ErrNotSupported elsewhere.
func (b *Bucket) PutIfAbsent(ctx context.Context, key string, data []byte) (objstore.Object, error) {
	return b.put(ctx, "put if absent", key, data, linkNew)
}

// put gives the written file its name by place.
func (b *Bucket) put(ctx context.Context, verb, key string, data []byte, place func(from, to string) error) (objstore.Object, error) {
	b.counters.wrote(int64(len(data)))
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
		return nil, folderInTheWay(p.target, err)
	}
	return info, syncFolder(filepath.Dir(p.target))
}

// folderInTheWay explains why a file could not take its name.
func folderInTheWay(target string, err error) error {
	if info, serr := os.Lstat(target); serr == nil && info.IsDir() {
		return objstore.Invalidf("a folder has that name")
	}
	return err
}
