// Package text writes records as lines: key, tab, value.
package text

import (
	"io"

	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/output"
)

// writeSize is how many bytes are gathered before they are written.
const writeSize = 256 << 10

// Format is the format of lines. A record that is only a key is a line of its own.
type Format struct{}

func (Format) String() string { return "text" }

// NewWriter implements output.Format.
func (Format) NewWriter(w io.Writer, opts output.Options) output.Writer {
	return &writer{to: w, keyOnly: opts.KeyOnly, buf: make([]byte, 0, writeSize+4096)}
}

type writer struct {
	to      io.Writer
	keyOnly bool
	buf     []byte
	records int64
}

// Write implements output.Writer.
func (w *writer) Write(block []byte) error {
	buf := w.buf
	for rest := block; len(rest) > 0; {
		key, value, n, err := record.Read(rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
		buf = append(buf, key...)
		if !w.keyOnly {
			buf = append(buf, '\t')
			buf = append(buf, value...)
		}
		buf = append(buf, '\n')
		w.records++
		if len(buf) >= writeSize {
			w.buf = buf
			if err := w.flush(); err != nil {
				return err
			}
			buf = w.buf
		}
	}
	w.buf = buf
	return nil
}

// Records implements output.Writer.
func (w *writer) Records() int64 { return w.records }

// Close implements output.Writer.
func (w *writer) Close() error { return w.flush() }

func (w *writer) flush() error {
	_, err := w.to.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}
