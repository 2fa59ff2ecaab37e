package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/bucketmill/bucketmill/objstore"
)

// Get opens a range of an object. The reader is also an [io.ReaderAt], with offsets from the start
// of the range, and an [io.WriterTo] that copies large blocks. It continues to read the file that
// it opened if another file takes its name.
func (b *Bucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return b.GetVersion(ctx, key, "", offset, length)
}

// GetVersion is Get for the file with this inode, modification time and size. Its reader compares
// them after each read, since a file may change while it is open.
func (b *Bucket) GetVersion(ctx context.Context, key, etag string, offset, length int64) (io.ReadCloser, error) {
	r, err := b.openRange(ctx, key, etag, offset, length)
	if err != nil {
		return nil, b.fail("get", key, err)
	}
	return r, nil
}

func (b *Bucket) openRange(ctx context.Context, key, wanted string, offset, length int64) (*reader, error) {
	path, err := b.resolve(ctx, key)
	if err != nil {
		return nil, err
	}
	if offset < 0 || length < -1 {
		return nil, objstore.Invalidf("a range of %d bytes at offset %d is not valid", length, offset)
	}
	b.counters.Gets.Add(1)
	// Check first: opening a named pipe would block.
	if _, err := statFile(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if wanted != "" && wanted != etag(info) {
		return nil, errors.Join(otherVersion(wanted, info), f.Close())
	}
	if offset > info.Size() && length != 0 {
		return nil, errors.Join(fmt.Errorf("%w: offset %d in %d bytes", objstore.ErrRange, offset, info.Size()), f.Close())
	}
	n := max(0, info.Size()-offset)
	if length >= 0 {
		n = min(n, length)
	}
	willRead(f, offset, min(n, readAhead))
	r := &reader{ctx: ctx, bucket: b, key: key, file: f, start: offset, size: n}
	if wanted != "" {
		r.wanted, r.version = wanted, versionOf(info)
	}
	return r, nil
}

func otherVersion(wanted string, info fs.FileInfo) error {
	return fmt.Errorf("%w: its inode, modification time and size are %s, not %s", objstore.ErrChanged, etag(info), wanted)
}

// readAhead is the number of bytes of a range that the system is told to read ahead.
const readAhead = 8 << 20

// reader reads size bytes of the file, from start. If the file shrinks, it fails instead of ending
// early. It is confined to one goroutine.
type reader struct {
	ctx     context.Context // of Get; it lasts until Close
	bucket  *Bucket
	key     string
	wanted  string  // the ETag that the file must keep; empty for any
	version version // the content of wanted
	file    *os.File
	start   int64
	size    int64
	pos     int64 // bytes read so far
}

func (r *reader) Read(p []byte) (int, error) {
	if r.pos == r.size {
		return 0, io.EOF
	}
	n, err := r.ReadAt(p[:min(int64(len(p)), r.size-r.pos)], r.pos)
	r.pos += int64(n)
	if n > 0 && r.pos == r.size {
		err = nil
	}
	return n, err
}

func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, r.bucket.fail("read", r.key, err)
	}
	if off < 0 {
		return 0, r.bucket.fail("read", r.key, objstore.Invalidf("the offset is negative"))
	}
	if off >= r.size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), r.size-off)
	n, err := r.file.ReadAt(p[:want], r.start+off)
	r.bucket.counters.BytesRead.Add(int64(n))
	if changed := r.checkVersion(); changed != nil {
		return 0, r.bucket.fail("read", r.key, changed)
	}
	switch {
	case err == io.EOF && int64(n) < want:
		return n, r.bucket.fail("read", r.key, fmt.Errorf("%w: it is shorter now", objstore.ErrChanged))
	case err != nil && err != io.EOF:
		return n, r.bucket.fail("read", r.key, err)
	case want < int64(len(p)):
		return n, io.EOF
	}
	return n, nil
}

// checkVersion checks that the bytes that were read are of the wanted version.
func (r *reader) checkVersion() error {
	if r.wanted == "" {
		return nil
	}
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	if r.version != versionOf(info) {
		return otherVersion(r.wanted, info)
	}
	return nil
}

// WriteTo copies the rest to w in blocks of copyBlock bytes.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	buf, ok := copyBlocks.Get().(*[copyBlock]byte)
	if !ok {
		buf = new([copyBlock]byte)
	}
	defer copyBlocks.Put(buf)
	var total int64
	for {
		n, err := r.Read(buf[:])
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if n > 0 {
			written, werr := w.Write(buf[:n])
			total += int64(written)
			if werr != nil {
				return total, werr
			}
		}
		if err != nil {
			return total, err
		}
	}
}

const copyBlock = 256 << 10 // bytes

var copyBlocks sync.Pool // of *[copyBlock]byte

func (r *reader) Close() error {
	if err := r.file.Close(); err != nil {
		return r.bucket.fail("close", r.key, err)
	}
	return nil
}
