package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"

	"github.com/bucketmill/bucketmill/executor/badrecords"
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
)

// sampler maps a few pieces of a job's input, to see the keys that come of them.
type sampler struct {
	taskEnv

	keys shuffle.KeySample
	read int64 // bytes of records
}

const (
	// piecesAhead is how many pieces are being read at once.
	piecesAhead = 8
	// maxSampled bounds the bytes of records that are mapped, however large records are, or what
	// compressed objects hold.
	maxSampled = 32 << 20
)

// run returns the ranges that the sample gives.
func (s *sampler) run(ctx context.Context) (shuffle.Partitioner, error) {
	traits := s.job.program.Traits()
	s.keys.Distinct = traits.Combine.Any()
	plan, err := s.pieces(ctx)
	if err != nil {
		return shuffle.Partitioner{}, err
	}
	err = s.mapPieces(ctx, plan)
	if why := badrecords.Fault(ctx, err); why != nil && s.job.maySkip() {
		err = s.mapEach(ctx, plan)
	}
	if err != nil {
		return shuffle.Partitioner{}, err
	}
	// Only where reducers don't need all values of a key may these be in several parts.
	spread := traits.Identity && !s.keys.Distinct && !s.job.spec.SortValues
	return s.keys.Partitioner(s.job.reduces, spread), nil
}

// pieces chooses what to read.
func (s *sampler) pieces(ctx context.Context) ([]piece, error) {
	n := samplePieces(s.job.reduces)
	var splits []input.Split
	for _, index := range spreadOver(s.job.maps, n) {
		task, err := s.job.task(ctx, s.executor, s.attempt, index)
		if err != nil {
			return nil, err
		}
		splits = append(splits, task...)
		s.attempt.progressed()
	}
	return choosePieces(splits, s.job.format, n, sampledBytes(s.job.reduces)), nil
}

// mapEach maps each piece by a program of its own, and does without those on which it fails:
// which records are to blame is found out when they are mapped in earnest.
func (s *sampler) mapEach(ctx context.Context, plan []piece) error {
	s.keys, s.read = shuffle.KeySample{Distinct: s.keys.Distinct}, 0
	for _, p := range plan {
		if err := s.mapPieces(ctx, []piece{p}); err != nil && badrecords.Fault(ctx, err) == nil {
			return err
		}
	}
	return nil
}

// mapPieces maps pieces by one program.
func (s *sampler) mapPieces(ctx context.Context, plan []piece) (err error) {
	scratch := filepath.Join(s.scratch, "sample")
	if err := program.PassableFolder(scratch); err != nil {
		return fmt.Errorf("make scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, program.RemoveScratch(scratch)) }()
	attempt, err := s.programAttempt(scratch)
	if err != nil {
		return err
	}
	task := make(input.Task, len(plan))
	for i, p := range plan {
		task[i] = p.split
	}
	attempt.Inputs = programInputs(task)
	mapper, err := s.job.program.NewMapper(ctx, attempt)
	if err != nil {
		return err
	}
	defer mapper.Kill()
	out := record.NewEmitter(emitBlock, s.take)
	reading := reader{sampler: s, plan: plan}
	defer func() { err = errors.Join(err, reading.close()) }()
	for {
		batch, err := reading.next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := errors.Join(mapper.Map(batch, out), ctx.Err()); err != nil {
			return err
		}
		s.attempt.progressed()
	}
	if err := mapper.Close(out); err != nil {
		return err
	}
	return out.Flush()
}

// take adds what the mapper emits to the sample.
func (s *sampler) take(block []byte) ([]byte, error) {
	for rest := block; len(rest) > 0; {
		key, _, n, err := record.Read(rest)
		if err != nil {
			return block, err
		}
		s.keys.Add(key, int64(n))
		rest = rest[n:]
	}
	return block, nil
}

// reader reads pieces one after the other, and the next few ahead.
type reader struct {
	sampler *sampler
	plan    []piece // not opened yet
	open    []openPiece
	begun   map[string]bool // objects that are read from their beginning
}

type openPiece struct {
	*input.Reader
	piece
	left int64 // bytes of records that are wanted of it
}

// next returns the next records, or io.EOF.
func (r *reader) next(ctx context.Context) (*record.Batch, error) {
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

func (r *reader) openAhead(ctx context.Context) error {
	for len(r.open) < piecesAhead && len(r.plan) > 0 {
		p := r.plan[0]
		r.plan = r.plan[1:]
		e := r.sampler.executor
		opts := SplitOptions(r.sampler.job.format, e.slotMemory())
		opts.ReadAheadBytes = min(opts.ReadAheadBytes/piecesAhead, 2*min(max(p.budget, minPiece), input.DefaultRange))
		opened, err := e.openSplit(ctx, r.sampler.job, p.split, opts)
		if err != nil {
			return err
		}
		r.open = append(r.open, openPiece{opened, p, p.budget})
	}
	return nil
}

// fromBeginning puts one piece in place of all that are still to be read of an object which turned out to be
// compressed: its records come from its beginning only.
func (r *reader) fromBeginning(hidden piece) {
	object := hidden.split.Input
	if r.begun[object] || hidden.budget == math.MaxInt64 { // then the split that begins at 0 is read anyway
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

func (r *reader) close() (err error) {
	for _, p := range r.open {
		err = errors.Join(err, p.Close())
	}
	return err
}

// firstBytes returns the first records of a batch, so many bytes of them or a little more, and
// how many these are.
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
