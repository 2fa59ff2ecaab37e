package sampling

import (
	"context"
	"errors"
	"io"
	"math"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
)

// piecesAhead is how many pieces are open at a time.
const piecesAhead = 8

// pieceReader reads pieces one after the other, and opens the next few ahead.
type pieceReader struct {
	sampler *Sampler
	plan    []piece // not open yet
	open    []openPiece
	begun   map[string]bool // objects that are read from their beginning
}

type openPiece struct {
	*input.Reader
	piece
	left int64 // bytes of records to read of it
}

// next returns the next records, or io.EOF.
func (r *pieceReader) next(ctx context.Context) (*record.Batch, error) {
	for r.sampler.read < maxSampled {
		if err := r.openAhead(ctx); err != nil {
			return nil, err
		}
		if len(r.open) == 0 {
			return nil, io.EOF
		}
		p := &r.open[0]
		if p.left > 0 {
			batch, err := p.Next()
			if err == nil {
				var n int64
				batch, n = firstBytes(batch, p.left)
				p.left -= n
				r.sampler.read += n
				return batch, nil
			}
			if !errors.Is(err, io.EOF) {
				return nil, err
			}
		}
		if p.Hidden() {
			r.fromBeginning(p.piece)
		}
		if err := p.Close(); err != nil {
			return nil, err
		}
		r.open = r.open[1:]
	}
	return nil, io.EOF
}

// openAhead opens pieces until enough are open.
func (r *pieceReader) openAhead(ctx context.Context) error {
	for len(r.open) < piecesAhead && len(r.plan) > 0 {
		p := r.plan[0]
		r.plan = r.plan[1:]
		opts := r.sampler.Options
		opts.ReadAheadBytes = min(opts.ReadAheadBytes/piecesAhead, 2*min(max(p.budget, minPiece), input.DefaultRange))
		opened, err := r.sampler.Open(ctx, p.split, opts)
		if err != nil {
			return err
		}
		r.open = append(r.open, openPiece{opened, p, p.budget})
	}
	return nil
}

// fromBeginning replaces all pieces of an object that are not open yet by one piece at its
// beginning: the object turned out to be compressed, so its records can only be read from there.
func (r *pieceReader) fromBeginning(hidden piece) {
	object := hidden.split.Input
	if r.begun[object] || hidden.budget == math.MaxInt64 { // the split that begins at 0 is read anyway
		return
	}
	if r.begun == nil {
		r.begun = map[string]bool{}
	}
	r.begun[object] = true
	hidden.split.Offset, hidden.split.Length = 0, hidden.split.Size
	var rest []piece
	for _, p := range r.plan {
		if p.split.Input == object {
			hidden.budget += p.budget
		} else {
			rest = append(rest, p)
		}
	}
	r.plan = append(rest, hidden)
}

// close closes the open pieces.
func (r *pieceReader) close() (err error) {
	for _, p := range r.open {
		err = errors.Join(err, p.Close())
	}
	return err
}

// firstBytes returns the first records of a batch, at least limit bytes of them if the batch has so
// many, and their size in bytes.
func firstBytes(b *record.Batch, limit int64) (*record.Batch, int64) {
	var records, n int64
	for _, record := range b.Records() {
		records++
		if n += int64(len(record)) + 1; n >= limit {
			return b.Slice(0, records), n
		}
	}
	return b, n
}
