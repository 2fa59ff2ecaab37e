package file

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/bucketmill/bucketmill/objstore"
)

// writer fills a pending file. It is confined to one goroutine.
type writer struct {
	ctx     context.Context // of Create; it lasts until the writer ends
	pending *pending
	buf     *bufio.Writer // nil once ended
	size    int64         // bytes written
	err     error         // of the first failed write
}

func (w *writer) Write(p []byte) (int, error) {
	if w.buf == nil {
		return 0, w.fail("write", errEnded)
	}
	if w.err != nil {
		return 0, w.err
	}
	if err := w.ctx.Err(); err != nil {
		w.err = w.fail("write", err)
		return 0, w.err
	}
	n, err := w.buf.Write(p)
	w.size += int64(n)
	if err != nil {
		w.err = w.fail("write", err)
	}
	return n, w.err
}

func (w *writer) Seal() (objstore.Upload, error) {
	const verb = "seal"
	if err := w.end(verb); err != nil {
		return objstore.Upload{}, err
	}
	w.pending.bucket.countUpload(w.size)
	info, err := w.pending.finish()
	if err == nil {
		err = syncFolder(filepath.Dir(w.pending.path))
	}
	if err != nil {
		return objstore.Upload{}, errors.Join(w.fail(verb, err), w.pending.discard())
	}
	return objstore.Upload{
		Key:   w.pending.key,
		ID:    filepath.Base(w.pending.path),
		Parts: []objstore.Part{{Number: 1, ETag: etag(info), Size: info.Size()}},
		Size:  info.Size(),
	}, nil
}

func (w *writer) Commit() (objstore.Object, error) {
	const verb = "commit"
	if err := w.end(verb); err != nil {
		return objstore.Object{}, err
	}
	if w.size <= w.pending.bucket.Parts.After(0) {
		w.pending.bucket.counters.countPut(w.size)
	} else {
		w.pending.bucket.countUpload(w.size)
		w.pending.bucket.counters.Puts.Add(1) // the completion
		w.pending.bucket.counters.Heads.Add(1)
	}
	info, err := w.pending.put(w.ctx, nil, os.Rename)
	if err != nil {
		return objstore.Object{}, errors.Join(w.fail(verb, err), w.pending.discard())
	}
	return describe(w.pending.key, info), nil
}

func (w *writer) Abort() error {
	if w.buf == nil {
		return nil
	}
	w.release()
	if err := w.pending.discard(); err != nil {
		return w.fail("abort", err)
	}
	return nil
}

// end flushes the buffer. If that or an earlier write failed, it discards the file.
func (w *writer) end(verb string) error {
	if w.buf == nil {
		return w.fail(verb, errEnded)
	}
	err := w.err
	if err == nil {
		if err = w.ctx.Err(); err == nil {
			err = w.buf.Flush()
		}
		if err != nil {
			err = w.fail(verb, err)
		}
	}
	w.release()
	if err != nil {
		return errors.Join(err, w.pending.discard())
	}
	return nil
}

func (w *writer) release() {
	w.buf.Reset(nil)
	writeBuffers.Put(w.buf)
	w.buf = nil
}

func (w *writer) fail(verb string, err error) error {
	return w.pending.bucket.fail(verb, w.pending.key, err)
}

var errEnded = objstore.Invalidf("the writer has ended")
