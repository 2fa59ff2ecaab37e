package input

import (
	"errors"
	"io"
)

// A window shows a stream of bytes, a piece at a time: a view.
type window interface {
	// more lets go of the view but for its last keep bytes, and returns a view that starts
	// with these and has at least one more. At the stream's end it returns just these, and
	// io.EOF.
	more(keep int) ([]byte, error)
}

// cursor walks over the bytes that a window shows.
type cursor struct {
	in   window
	off  int64  // of the first byte of rest, in the object after decompression
	rest []byte // the part of the view that was not taken
}

// more adds at least one byte to rest, or fails with io.EOF.
func (c *cursor) more() error {
	view, err := c.in.more(len(c.rest))
	if err == nil || errors.Is(err, io.EOF) {
		c.rest = view
	}
	return err
}

// position returns where the next record begins.
func (c *cursor) position() int64 { return c.off }

// take removes n bytes from rest. They are valid until more is called.
func (c *cursor) take(n int) []byte {
	taken := c.rest[:n:n]
	c.rest = c.rest[n:]
	c.off += int64(n)
	return taken
}
