package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// outputReader reads the parts of an output as one stream, from any offset. If the end of a part is
// wanted, the part is read from its beginning and checked, and its last byte is returned only if
// the checksum is right: so nobody gets a complete part with other bytes. A range that ends in the
// middle of a part is read alone, and not checked.
type outputReader struct {
	ctx    context.Context
	out    output
	size   int64
	offset int64
	end    int64 // of what will be read

	part io.ReadCloser // the part that offset is in, from offset on; nil: not open
	left int64         // bytes of it that are wanted
	is   layout.SuccessPart
	sum  *xxhash.Digest // of the part so far; nil: the part is not checked
	err  error          // the first of a Read, except io.EOF
}

func (r *outputReader) Read(p []byte) (n int, err error) {
	if r.offset >= min(r.end, r.size) {
		return 0, io.EOF
	}
	if r.part == nil {
		err = r.open()
	}
	if err == nil {
		n, err = r.read(p)
		r.offset += int64(n)
		if r.left -= int64(n); r.left == 0 {
			r.close()
		}
	}
	if errors.Is(err, objstore.ErrNotFound) {
		err = newProblem(api.CodeOutputChanged, "%s is gone", r.is.Name)
	}
	if r.err == nil && err != nil {
		r.err = err
	}
	return n, err
}

// open opens the part that offset is in.
func (r *outputReader) open() error {
	start := int64(0)
	for _, r.is = range r.out.parts {
		if r.offset < start+r.is.Bytes {
			break
		}
		start += r.is.Bytes
	}
	from, to := r.offset-start, min(r.end-start, r.is.Bytes)
	r.left = to - from
	var err error
	if to < r.is.Bytes {
		r.sum = nil
		r.part, err = r.out.bucket.Get(r.ctx, r.out.key(r.is.Name), from, to-from)
		if errors.Is(err, objstore.ErrRange) {
			return r.changed("it is shorter")
		}
		return err
	}
	r.sum = xxhash.New()
	if r.part, err = r.out.bucket.Get(r.ctx, r.out.key(r.is.Name), 0, -1); err != nil {
		return err
	}
	_, err = io.CopyN(r.sum, r.part, from)
	return r.shorter(err)
}

func (r *outputReader) read(p []byte) (n int, err error) {
	if r.sum == nil {
		n, err = r.part.Read(p[:min(int64(len(p)), r.left)])
		if n > 0 {
			return n, nil
		}
		return n, r.shorter(err)
	}
	if r.left > 1 {
		n, err = r.part.Read(p[:min(int64(len(p)), r.left-1)])
		_, _ = r.sum.Write(p[:n]) // never fails
		if n > 0 {
			return n, nil
		}
		return n, r.shorter(err)
	}
	last, err := io.ReadAll(io.LimitReader(io.TeeReader(r.part, r.sum), 2))
	if err != nil {
		return 0, err
	}
	if got := fmt.Sprintf("xxh64:%016x", r.sum.Sum64()); len(last) != 1 || got != r.is.Checksum {
		return 0, r.changed(fmt.Sprintf("its checksum is %s, not %s", got, r.is.Checksum))
	}
	return copy(p, last), nil
}

// shorter turns an early end into a problem.
func (r *outputReader) shorter(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.changed("it is shorter")
	}
	return err
}

func (r *outputReader) changed(how string) error {
	return newProblem(api.CodeOutputChanged, "%s is not what the job wrote: %s", r.is.Name, how)
}

func (r *outputReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.offset
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the output's start")
	}
	r.close()
	r.offset, r.end = offset, r.size
	return offset, nil
}

func (r *outputReader) expect(n int64) { r.end = r.offset + n }

func (r *outputReader) failed() error { return r.err }

func (r *outputReader) close() {
	if r.part != nil {
		_ = r.part.Close() // what was read is right, even if this fails
		r.part = nil
	}
}

// etag identifies the content of an output's parts: it is another one for other parts or other
// bytes.
func (o output) etag(id job.ID) string {
	sum := sha256.New()
	_, _ = fmt.Fprintln(sum, id) // never fails
	for _, p := range o.parts {
		_, _ = fmt.Fprintln(sum, p.Name, p.Bytes, p.Checksum)
	}
	return `"` + hex.EncodeToString(sum.Sum(nil)[:16]) + `"`
}
