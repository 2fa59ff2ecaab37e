package input

import (
	"bytes"
	"context"
	"fmt"
)

// headBytes is how many of an object's first bytes decide what it is: a block of tar, whose mark is
// farther from the start than any other.
const headBytes = 512

// byteOrderMark is U+FEFF in UTF-8. Programs of Windows begin text with it; it is not part of the
// text.
var byteOrderMark = []byte{0xef, 0xbb, 0xbf}

// head reads an object's first bytes by a separate request, and finds out what they are. The
// request is for headBytes bytes even if the object is shorter, so it is never the same as a
// request for records.
func (s *source) head(ctx context.Context, f Format) (content, error) {
	body, err := s.get(ctx, 0, headBytes)
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
	return f.sniff(s.object, data), nil
}

// refuse returns the error for data that are not text, or nil. Within is the compression of the
// object that contains the data; nil means none.
func (c content) refuse(object string, within Compression, f Format) error {
	kind := c.foreign
	if c.compression != nil {
		kind = &foreign{fmt.Sprintf("%v data", c.compression), "decompress it once more"}
	}
	if kind == nil {
		return nil
	}
	inside := ""
	if within != nil {
		inside = fmt.Sprintf(" inside %v data", within)
	}
	return &FormatError{Object: object, Offset: NoOffset, Reason: fmt.Sprintf(
		"the object contains %s%s, which can't be read as %v: %s, or read the bytes as they are with --compression none",
		kind.name, inside, f, kind.wayOut)}
}
