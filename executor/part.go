package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// writeSize is how many bytes of output are gathered before they are written.
const writeSize = 256 << 10

// partWriter writes records as lines of a part of the job's output: key, tab, value.
type partWriter struct {
	bucket  objstore.Bucket
	w       objstore.Writer
	keyOnly bool
	buf     []byte
	sum     *xxhash.Digest
	records int64
	bytes   int64
}

func (e *Executor) createPart(ctx context.Context, job *jobContext, index int) (*partWriter, error) {
	b, prefix, err := e.cfg.Open(ctx, job.spec.Output)
	if err != nil {
		return nil, err
	}
	w, err := b.Create(ctx, strings.TrimPrefix(path.Join(prefix, layout.PartName(index)), "/"))
	if err != nil {
		return nil, err
	}
	return &partWriter{
		bucket: b, w: w, sum: xxhash.New(),
		keyOnly: job.program.Traits().KeyOnly,
		buf:     make([]byte, 0, writeSize+4096),
	}, nil
}

// take writes a block of records and returns it for reuse: the receiver of an Emitter.
func (p *partWriter) take(block []byte) ([]byte, error) {
	buf := p.buf
	for rest := block; len(rest) > 0; {
		key, value, n, err := record.Read(rest)
		if err != nil {
			return block, err
		}
		rest = rest[n:]
		buf = append(buf, key...)
		if !p.keyOnly {
			buf = append(buf, '\t')
			buf = append(buf, value...)
		}
		buf = append(buf, '\n')
		p.records++
		if len(buf) >= writeSize {
			p.buf = buf
			if err := p.flush(); err != nil {
				return block, err
			}
			buf = p.buf
		}
	}
	p.buf = buf
	return block, nil
}

func (p *partWriter) flush() error {
	if _, err := p.w.Write(p.buf); err != nil {
		return err
	}
	_, _ = p.sum.Write(p.buf) // a hash takes every write
	p.bytes += int64(len(p.buf))
	p.buf = p.buf[:0]
	return nil
}

func (p *partWriter) abort() error { return p.w.Abort() }

// seal ends the part. It stays invisible until the job is published.
func (p *partWriter) seal(counters map[string]int64) (result, error) {
	if err := p.flush(); err != nil {
		return result{}, errors.Join(err, p.w.Abort())
	}
	upload, err := p.w.Seal()
	if err != nil {
		return result{}, err
	}
	discard := func(ctx context.Context) error { return p.bucket.Abort(ctx, upload) }
	handle, err := json.Marshal(upload)
	if err != nil {
		return result{}, fmt.Errorf("encode upload: %w", err)
	}
	manifest, err := json.Marshal(layout.Part{
		Upload: handle, Bytes: p.bytes, Records: p.records,
		Checksum: fmt.Sprintf("xxh64:%016x", p.sum.Sum64()),
	})
	if err != nil {
		return result{}, fmt.Errorf("encode manifest: %w", err)
	}
	counters["output_records"] = p.records
	counters["output_bytes"] = p.bytes
	return result{manifest: manifest, counters: counters, discard: discard}, nil
}
