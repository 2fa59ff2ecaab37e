package executor

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/output"
)

// partWriter writes a part of the job's output.
type partWriter struct {
	*output.Part
	bucket objstore.Bucket
}

// createPart begins the upload of a part of a job's output.
func (e *Executor) createPart(ctx context.Context, j *jobContext, index int) (partWriter, error) {
	format, err := formats.Outputs.Parse("") // a spec asks for no other
	if err != nil {
		return partWriter{}, err
	}
	b, prefix, err := e.cfg.Open(ctx, j.spec.Output)
	if err != nil {
		return partWriter{}, err
	}
	key := strings.TrimPrefix(path.Join(prefix, layout.PartName(index)), "/")
	part, err := output.Create(ctx, b, key, format, output.Options{KeyOnly: j.program.Traits().KeyOnly})
	return partWriter{part, b}, err
}

// seal ends the part, which stays invisible until the job is published. The attempt's manifest is
// the handle by which any process can complete the upload.
func (p partWriter) seal(counters map[string]int64) (result, error) {
	sealed, err := p.Seal()
	if err != nil {
		return result{}, err
	}
	discard := func(ctx context.Context) error { return p.bucket.Abort(ctx, sealed.Upload) }
	handle, err := json.Marshal(sealed.Upload)
	if err != nil {
		return result{}, fmt.Errorf("encode upload: %w", err)
	}
	manifest, err := json.Marshal(layout.Part{Upload: handle, Bytes: sealed.Bytes, Records: sealed.Records, Checksum: sealed.Checksum})
	if err != nil {
		return result{}, fmt.Errorf("encode manifest: %w", err)
	}
	counters["output_records"] = sealed.Records
	counters["output_bytes"] = sealed.Bytes
	return result{manifest: manifest, counters: counters, discard: discard}, nil
}
