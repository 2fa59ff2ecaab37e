// Package blocks is a compression for tests: blocks that can be found from any byte of an object.
// It shows what a splittable compression needs of package input.
//
//	object = block*
//	block  = mark, uint32 length, data of that length, by DEFLATE
package blocks

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"

	"github.com/bucketmill/bucketmill/input"
)

// Compression is the compression blocks.
type Compression struct{}

var (
	mark     = []byte("\x00BLOCK\xff\x00")
	suffixes = []string{".blocks"}
)

const lengthLen = 4

func (Compression) String() string { return "blocks" }

// Suffixes implements input.Compression.
func (Compression) Suffixes() []string { return suffixes }

// Matches implements input.Compression.
func (Compression) Matches(head []byte) bool { return bytes.HasPrefix(head, mark) }

// Splittable implements input.Compression.
func (Compression) Splittable() bool { return true }

// Open implements input.Compression. It looks for the first block that begins in the split.
func (Compression) Open(in *input.Compressed) (input.Decompressor, error) {
	d := &decompressor{in: in, end: in.Split.Offset + in.Split.Length}
	for in.Offset() < d.end {
		head, err := in.Peek(len(mark))
		if len(head) < len(mark) {
			return nil, err
		}
		if bytes.HasPrefix(head, mark) {
			d.start = in.Offset() << 20 // more than a byte of the object can become
			return d, nil
		}
		if _, err := in.Discard(1); err != nil {
			return nil, err
		}
	}
	return nil, io.EOF
}

type decompressor struct {
	in    *input.Compressed
	end   int64 // of the split
	start int64
	ended bool // ErrSplitEnd was returned
	block io.Reader
}

// Read implements input.Decompressor.
func (d *decompressor) Read(p []byte) (int, error) {
	for {
		if d.block == nil {
			if err := d.next(); err != nil {
				return 0, err
			}
		}
		n, err := d.block.Read(p)
		if err == io.EOF {
			d.block, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// next begins the next block.
func (d *decompressor) next() error {
	head, err := d.in.Peek(len(mark) + lengthLen)
	switch {
	case len(head) == 0:
		return err
	case d.in.Offset() >= d.end && !d.ended:
		d.ended = true
		return input.ErrSplitEnd
	case len(head) < len(mark)+lengthLen:
		return input.ErrCut
	}
	data := make([]byte, binary.BigEndian.Uint32(head[len(mark):]))
	if _, err := d.in.Discard(len(head)); err != nil {
		return err
	}
	if _, err := io.ReadFull(d.in, data); err != nil {
		return err
	}
	d.block = flate.NewReader(bytes.NewReader(data))
	return nil
}

// Start implements input.Decompressor.
func (d *decompressor) Start() int64 { return d.start }

// Close implements input.Decompressor.
func (d *decompressor) Close() {}

// Encode returns data in blocks of size bytes.
func Encode(data []byte, size int) ([]byte, error) {
	var all []byte
	for len(data) > 0 {
		some := data[:min(size, len(data))]
		data = data[len(some):]
		var buf bytes.Buffer
		w, err := flate.NewWriter(&buf, flate.DefaultCompression)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(some); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		all = append(all, mark...)
		all = binary.BigEndian.AppendUint32(all, uint32(buf.Len()))
		all = append(all, buf.Bytes()...)
	}
	return all, nil
}
