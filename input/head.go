package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// start looks at the first bytes that in shows, in which text is to be. If it is text, from is behind its
// byte order mark. Name is the object's, or empty for what was decompressed from it.
func start(in window, name string) (from cursor, c content, err error) {
	head, err := peek(in)
	if err != nil {
		return cursor{}, content{}, err
	}
	from = cursor{in: in, rest: head}
	if bytes.HasPrefix(head, byteOrderMark) {
		from.take(len(byteOrderMark))
		return from, content{}, nil
	}
	return from, sniff(name, head[:min(len(head), headBytes)]), nil
}

// head reads an object's first bytes by a request of their own, and finds out what they are.
func (s *source) head(ctx context.Context) (c content, err error) {
	body, err := s.get(ctx, 0, headBytes) // or what there is
	if err != nil {
		return content{}, failure{s.failed(err, 0)}
	}
	data := make([]byte, min(headBytes, s.size))
	if _, err = s.fill(body, data, 0); err == nil && s.size <= headBytes {
		err = s.finish(body, s.size)
	}
	if err := s.closeBody(body, err); err != nil {
		return content{}, failure{err}
	}
	if bytes.HasPrefix(data, byteOrderMark) {
		return content{}, nil
	}
	return sniff(s.object, data), nil
}

// refuse fails for data that is not text. Within is how the object is compressed that holds it.
func (c content) refuse(object string, within Compression, f Format) error {
	kind := c.foreign
	if c.codec != Uncompressed {
		kind = &foreign{fmt.Sprintf("%v data", c.codec), "decompress it once more"}
	}
	if kind == nil {
		return nil
	}
	inside := ""
	if within != Uncompressed {
		inside = fmt.Sprintf(" inside of %v data", within)
	}
	return &FormatError{Object: object, Offset: NoOffset, Reason: fmt.Sprintf(
		"the object holds %s%s, which is not read as %v: %s, or read the bytes as they are with --compression none",
		kind.name, inside, f, kind.wayOut)}
}
