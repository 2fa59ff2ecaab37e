package output

import (
	"context"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/bucketmill/bucketmill/objstore"
)

// Part is a part of an output that is being written. It belongs to one goroutine. Exactly one of
// Seal and Abort ends it.
type Part struct {
	upload  objstore.Writer
	content content
	writer  Writer
}

// Sealed is a part that is complete but invisible.
type Sealed struct {
	Upload   objstore.Upload
	Bytes    int64
	Records  int64
	Checksum string // "xxh64:" and 16 hex digits, over the part's bytes
}

// Create begins the part with a key of a bucket. The context must last as long as the Part.
func Create(ctx context.Context, b objstore.Bucket, key string, f Format, opts Options) (*Part, error) {
	upload, err := b.Create(ctx, key)
	if err != nil {
		return nil, err
	}
	p := &Part{upload: upload, content: content{to: upload, sum: xxhash.New()}}
	p.writer = f.NewWriter(&p.content, opts)
	return p, nil
}

// Take writes a block of records and returns it for reuse: it is the receiver of a record.Emitter.
func (p *Part) Take(block []byte) ([]byte, error) { return block, p.writer.Write(block) }

// Records returns how many records were written.
func (p *Part) Records() int64 { return p.writer.Records() }

// Abort discards the part.
func (p *Part) Abort() error { return p.upload.Abort() }

// Seal ends the part. It stays invisible until its upload is completed.
func (p *Part) Seal() (Sealed, error) {
	if err := p.writer.Close(); err != nil {
		return Sealed{}, errors.Join(err, p.upload.Abort())
	}
	upload, err := p.upload.Seal()
	if err != nil {
		return Sealed{}, err
	}
	return Sealed{
		Upload: upload, Bytes: p.content.bytes, Records: p.writer.Records(),
		Checksum: fmt.Sprintf("xxh64:%016x", p.content.sum.Sum64()),
	}, nil
}

// content passes a part's bytes to its upload.
type content struct {
	to    objstore.Writer
	bytes int64
	sum   *xxhash.Digest
}

// Write implements io.Writer.
func (c *content) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	if err != nil {
		return n, err
	}
	_, _ = c.sum.Write(p) // a hash takes every write
	c.bytes += int64(len(p))
	return n, nil
}
