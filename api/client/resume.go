package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxResumes is how often a stream is resumed without receiving a byte.
const maxResumes = 5

// whole is the body of an answer of known length. If it breaks off, whole requests the rest.
type whole struct {
	c          *Client
	ctx        context.Context // of the requests for the rest
	path       string
	etag       string // "": unknown, so that the rest can't be matched
	size, read int64
	body       io.ReadCloser
	broken     int // since the last byte
}

// openWhole opens the answer for a path. If the answer ends before its length, Read fails.
func (c *Client) openWhole(ctx context.Context, path string) (io.ReadCloser, error) {
	resp, err := c.do(ctx, request{method: http.MethodGet, path: path})
	if err != nil {
		return nil, err
	}
	if resp.ContentLength < 0 {
		// Without a length, an early end looks like the real one.
		return nil, errors.Join(errors.New("the answer has no length: does a proxy change it?"), resp.Body.Close())
	}
	return &whole{c: c, ctx: ctx, path: path, etag: resp.Header.Get("ETag"), size: resp.ContentLength, body: resp.Body}, nil
}

func (w *whole) Read(p []byte) (int, error) {
	for {
		n, err := w.body.Read(p)
		w.read += int64(n)
		if n > 0 {
			w.broken = 0
			return n, nil // a lasting error comes again
		}
		if err == nil || errors.Is(err, io.EOF) && w.read == w.size {
			return 0, err
		}
		if err := w.resume(err); err != nil {
			return 0, err
		}
	}
}

// resume requests the rest of a stream that has ended with an error.
func (w *whole) resume(why error) error {
	if w.broken++; w.broken > maxResumes || w.etag == "" || w.ctx.Err() != nil {
		return fmt.Errorf("after %d of %d bytes: %w", w.read, w.size, why)
	}
	if err := sleep(w.ctx, pauseAfter(why, w.broken)); err != nil {
		return err
	}
	resp, err := w.c.do(w.ctx, request{method: http.MethodGet, path: w.path, header: http.Header{
		"Range": {fmt.Sprintf("bytes=%d-", w.read)}, "If-Range": {w.etag},
	}})
	if err != nil {
		return fmt.Errorf("go on after %d of %d bytes: %w", w.read, w.size, err)
	}
	want := fmt.Sprintf("bytes %d-%d/%d", w.read, w.size-1, w.size)
	if got := resp.Header.Get("Content-Range"); resp.StatusCode != http.StatusPartialContent || got != want {
		return errors.Join(fmt.Errorf("after %d of %d bytes: %w; the rest has changed meanwhile", w.read, w.size, why), resp.Body.Close())
	}
	_ = w.body.Close() // it is broken
	w.body = resp.Body
	return nil
}

func (w *whole) Close() error { return w.body.Close() }
