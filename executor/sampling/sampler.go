package sampling

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/bucketmill/bucketmill/executor/badrecords"
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
)

// Sampler maps a few pieces of a job's input, to see the keys that the program emits. It is used
// once, by one goroutine.
type Sampler struct {
	Program    program.Program
	Format     input.Format
	Options    input.Options // how a split is read
	Maps       int           // map tasks
	Partitions int
	SortValues bool   // a key's values are sorted, so that they must be in one part
	SkipBad    bool   // pieces on which the program fails are left out
	Scratch    string // a folder of the sampler's own on local disk; made if missing, and removed

	// Splits returns the splits of a map task.
	Splits func(ctx context.Context, task int) (input.Task, error)
	// Open begins to read a split.
	Open func(ctx context.Context, s input.Split, opts input.Options) (*input.Reader, error)
	// Attempt returns what the program needs to know of an attempt that works in a scratch folder
	// and maps these splits.
	Attempt func(scratch string, splits input.Task) (program.Attempt, error)
	// Progressed is called whenever the sampler makes progress.
	Progressed func()

	keys shuffle.KeySample
	read int64 // bytes of records
}

const (
	// maxSampled limits the bytes of records that are mapped, however large records are, and
	// whatever compressed objects contain.
	maxSampled = 32 << 20
	emitBlock  = 64 << 10
)

// run returns the ranges that the sample gives.
func (s *Sampler) run(ctx context.Context) (shuffle.Partitioner, error) {
	traits := s.Program.Traits()
	s.keys.Distinct = traits.Combine.Any()
	plan, err := s.choose(ctx)
	if err != nil {
		return shuffle.Partitioner{}, err
	}
	err = s.mapPieces(ctx, plan)
	if s.SkipBad && badrecords.Fault(ctx, err) != nil {
		err = s.mapEach(ctx, plan)
	}
	if err != nil {
		return shuffle.Partitioner{}, err
	}
	// The values of a key may be in several parts only if reducers don't need all of them.
	spread := traits.Identity && !s.keys.Distinct && !s.SortValues
	return s.keys.Partitioner(s.Partitions, spread), nil
}

// choose chooses the pieces to read.
func (s *Sampler) choose(ctx context.Context) ([]piece, error) {
	n := samplePieces(s.Partitions)
	var splits []input.Split
	for _, task := range spreadOver(s.Maps, n) {
		some, err := s.Splits(ctx, task)
		if err != nil {
			return nil, err
		}
		splits = append(splits, some...)
		s.Progressed()
	}
	return choosePieces(splits, s.Format, n, sampledBytes(s.Partitions)), nil
}

// mapEach maps each piece by a separate program, and leaves out the pieces on which the program
// fails: the bad records are found when the map tasks run.
func (s *Sampler) mapEach(ctx context.Context, plan []piece) error {
	s.keys, s.read = shuffle.KeySample{Distinct: s.keys.Distinct}, 0
	for _, p := range plan {
		if err := s.mapPieces(ctx, []piece{p}); err != nil && badrecords.Fault(ctx, err) == nil {
			return err
		}
	}
	return nil
}

// mapPieces maps pieces by one program.
func (s *Sampler) mapPieces(ctx context.Context, plan []piece) (err error) {
	if err := process.PassableFolder(s.Scratch); err != nil {
		return fmt.Errorf("make scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, process.RemoveScratch(s.Scratch)) }()
	splits := make(input.Task, len(plan))
	for i, p := range plan {
		splits[i] = p.split
	}
	attempt, err := s.Attempt(s.Scratch, splits)
	if err != nil {
		return err
	}
	mapper, err := s.Program.NewMapper(ctx, attempt)
	if err != nil {
		return err
	}
	defer mapper.Kill()
	out := record.NewEmitter(emitBlock, s.addKeys)
	pieces := pieceReader{sampler: s, plan: plan}
	defer func() { err = errors.Join(err, pieces.close()) }()
	for {
		batch, err := pieces.next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := errors.Join(mapper.Map(batch, out), ctx.Err()); err != nil {
			return err
		}
		s.Progressed()
	}
	if err := mapper.Close(out); err != nil {
		return err
	}
	return out.Flush()
}

// addKeys adds a block of what the mapper emits to the sample, and returns the block for reuse: the
// receiver of an Emitter.
func (s *Sampler) addKeys(block []byte) ([]byte, error) {
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
