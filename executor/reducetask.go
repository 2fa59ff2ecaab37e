package executor

import (
	"context"
	"errors"
	"io"

	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/mapred"
	"github.com/bucketmill/bucketmill/state"
)

const (
	mergeShare = 2 // one part in so many of a slot's memory for the merge
	fetches    = 4 // ranged reads under way for one reduce task
	emitBlock  = 64 << 10
)

// reduceTask merges a partition's runs, straight from the map attempts' objects, through the
// reducer into a part of the output.
func (e *Executor) reduceTask(ctx context.Context, a *attempt, job *jobContext, scratch string) (r result, err error) {
	sources, attempts, err := e.sources(ctx, job, a.Epoch, a.Attempt.Task.Index)
	if err != nil {
		return result{}, err
	}
	traits := job.program.Traits()
	merge, err := shuffle.NewMerge(ctx, shuffle.MergeConfig{
		Combine: traits.Combine,
		Memory:  e.slotMemory() / mergeShare,
		Scratch: scratch,
		Fetches: fetches,
		Codec:   e.cfg.Codec,
	}, sources)
	if err != nil {
		return result{}, segmentOf(err, sources, attempts)
	}
	defer func() { err = errors.Join(err, merge.Close()) }()
	out, err := e.createPart(ctx, job, a.Attempt.Task.Index)
	if err != nil {
		return result{}, err
	}
	var total int64 = 1
	for _, s := range sources {
		total += s.Segment.Records
	}
	in := &mergeInput{stopped: ctx.Err, attempt: a, merge: merge, total: total}
	counters, err := e.reduce(ctx, a, job, in, out, scratch)
	if err != nil {
		return result{}, errors.Join(segmentOf(err, sources, attempts), out.abort())
	}
	stats := merge.Stats()
	counters["reduce_input_records"] = stats.Records
	counters["shuffle_read_bytes"] = stats.BytesFetched
	counters["shuffle_reads"] = stats.Requests
	counters["merge_rounds"] = int64(stats.Rounds)
	counters["spilled_bytes"] = stats.SpilledBytes
	return out.seal(counters)
}

func (e *Executor) reduce(ctx context.Context, a *attempt, job *jobContext, in *mergeInput, out *partWriter, scratch string) (map[string]int64, error) {
	if job.program.Traits().Identity {
		return map[string]int64{}, in.copyTo(out)
	}
	reducer, err := job.program.NewReducer(ctx, e.programAttempt(a, job, scratch))
	if err != nil {
		return nil, err
	}
	defer reducer.Kill()
	emitter := mapred.NewEmitter(emitBlock, out.take)
	err = reducer.Reduce(in.next, emitter)
	if in.err != nil {
		return nil, in.err // where the merge failed, that is why the reducer did
	}
	if err != nil {
		return nil, err
	}
	return userCounters(reducer), emitter.Flush()
}

// mergeInput hands merged blocks to a reducer, and notes how far it is.
type mergeInput struct {
	stopped func() error // not nil when the attempt must stop
	attempt *attempt
	merge   *shuffle.Merge
	total   int64 // records, about
	err     error // what the merge failed with
}

func (in *mergeInput) next() ([]byte, error) {
	if err := in.stopped(); err != nil {
		return nil, err
	}
	block, err := in.merge.Next()
	if err != nil && !errors.Is(err, io.EOF) {
		in.err = err
	}
	in.attempt.progress.Store(min(999, in.merge.Stats().Records*1000/in.total))
	return block, err
}

func (in *mergeInput) copyTo(out *partWriter) error {
	for {
		block, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := out.take(block); err != nil {
			return err
		}
	}
}

// segmentOf finds the map attempt whose segment an error of the merge is about, if it is.
func segmentOf(err error, sources []shuffle.Source, attempts []state.AttemptID) error {
	var corrupt *shuffle.CorruptError
	if errors.As(err, &corrupt) {
		for i, s := range sources {
			if s.Name == corrupt.Object {
				return &segmentError{attempt: attempts[i], err: err}
			}
		}
	}
	return err
}
