package server

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/bucketmill/bucketmill/objstore"
)

// objectReader is the content of an object. It opens the object at the first Read after each Seek.
type objectReader struct {
	ctx    context.Context
	bucket objstore.Bucket
	object objstore.Object
	offset int64
	end    int64         // of what will be read
	open   io.ReadCloser // at offset; nil: not open
	err    error         // the first of a Read, except io.EOF
}

func (r *objectReader) Read(p []byte) (n int, err error) {
	if r.offset >= r.object.Size {
		return 0, io.EOF
	}
	if r.open == nil {
		r.open, err = r.bucket.Get(r.ctx, r.object.Key, r.offset, min(r.end, r.object.Size)-r.offset)
	}
	if err == nil {
		n, err = r.open.Read(p)
		r.offset += int64(n)
	}
	if errors.Is(err, io.EOF) && r.offset < min(r.end, r.object.Size) {
		err = fmt.Errorf("%s/%s: %w", r.bucket.URL(), r.object.Key, objstore.ErrChanged)
	}
	if r.err == nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

func (r *objectReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.offset
	case io.SeekEnd:
		offset += r.object.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the object's start")
	}
	if offset != r.offset {
		r.close()
	}
	r.offset, r.end = offset, r.object.Size
	return offset, nil
}

func (r *objectReader) expect(n int64) { r.end = r.offset + n }

func (r *objectReader) failed() error { return r.err }

func (r *objectReader) close() {
	if r.open != nil {
		_ = r.open.Close() // what was read is right, even if this fails
		r.open = nil
	}
}
