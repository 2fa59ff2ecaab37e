package input

import (
	"bytes"
	"context"
	"fmt"
)

// headBytes is how many of an object's first bytes are looked at: a block of tar, whose mark lies
// farther from the start than any other.
const headBytes = 512

// byteOrderMark is U+FEFF in UTF-8. Programs of Windows begin text with it; no part of the text is meant.
var byteOrderMark = []byte{0xef, 0xbb, 0xbf}

// head reads an object's first bytes by a request of their own, and finds out what they are.
func (s *source) head(ctx context.Context, f Format) (content, error) {
	data := make([]byte, min(headBytes, s.size))
	if err := s.readAt(ctx, data, 0); err != nil {
		return content{}, err
	}
	if bytes.HasPrefix(data, byteOrderMark) {
		return content{}, nil
	}
	return f.sniff(s.object, data), nil
}

// refuse fails for data that is not text. Within is how the object is compressed that holds it; nil: not.
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
		inside = fmt.Sprintf(" inside of %v data", within)
	}
	return &FormatError{Object: object, Offset: NoOffset, Reason: fmt.Sprintf(
		"the object holds %s%s, which is not read as %v: %s, or read the bytes as they are with --compression none",
		kind.name, inside, f, kind.wayOut)}
}
