package split

import (
	"bytes"
	"errors"
	"io"
)

// headBytes is how many of an object's first bytes are looked at: a block of tar, whose mark lies
// farther from the start than any other.
const headBytes = 512

// byteOrderMark is U+FEFF in UTF-8. Programs of Windows begin text with it; no part of the text is meant.
var byteOrderMark = []byte{0xef, 0xbb, 0xbf}

// peek shows the first bytes of a stream, headBytes or more of them unless the stream ends before. They
// are a view: the next call of more has to keep what is wanted of them.
func peek(in window) (view []byte, err error) {
	for len(view) < headBytes {
		more, err := in.more(len(view))
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		view = more
		if err != nil {
			break
		}
	}
	return view, nil
}

// textStart begins to read text from an object's first byte on, behind its byte order mark if it has one.
func textStart(in window) (cursor, error) {
	head, err := peek(in)
	if err != nil {
		return cursor{}, err
	}
	c := cursor{in: in, rest: head}
	if bytes.HasPrefix(head, byteOrderMark) {
		c.take(len(byteOrderMark))
	}
	return c, nil
}
