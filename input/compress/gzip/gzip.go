// Package gzip decompresses objects of gzip, of one or more members.
package gzip

import (
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/bucketmill/bucketmill/input"
)

// Compression is gzip.
type Compression struct{}

var suffixes = []string{".gz"}

var mark = []byte{0x1f, 0x8b}

func (Compression) String() string { return "gzip" }

// Suffixes implements input.Compression.
func (Compression) Suffixes() []string { return suffixes }

// Matches implements input.Compression.
func (Compression) Matches(head []byte) bool { return bytes.HasPrefix(head, mark) }

// Splittable implements input.Compression.
func (Compression) Splittable() bool { return false }

// Open implements input.Compression.
func (c Compression) Open(in *input.Compressed) (input.Decompressor, error) {
	var dec *gzip.Reader
	return &input.Members{In: in, What: c, Begin: func(head []byte) (_ io.Reader, err error) {
		if !c.Matches(head) {
			return nil, nil
		}
		if dec == nil {
			dec, err = gzip.NewReader(in.Reader)
		} else {
			err = dec.Reset(in.Reader)
		}
		if err != nil {
			return nil, err
		}
		dec.Multistream(false)
		return dec, nil
	}}, nil
}
