package executor

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"

	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/job"
)

const (
	mergeShare = 2 // one part in so many of a slot's memory for the merge
	fetches    = 4 // ranged reads under way for one reduce task
	emitBlock  = 64 << 10

	// networkRequest is what a ranged read from an object store costs, in bytes that a core could
	// take through a scratch run for it: 15 ms of which a task has four at a time, or $0.0000004,
	// which is 36 ms of a core at $0.04 an hour. A core does 150 MB/s. See docs/cost-model.md.
	networkRequest = 1 << 20
)

// RequestCost is what a ranged read from a store costs a merge, as shuffle.MergeConfig has it.
func RequestCost(storeURL string) int64 {
	if strings.HasPrefix(storeURL, "file:") {
		return 0 // a system call
	}
	return networkRequest
}

// reduceTask merges a partition's runs, straight from the map attempts' objects, through the
// reducer into a part of the output.
func (e *Executor) runReduceTask(ctx context.Context, a *attempt, job *jobContext, scratch string) (result, error) {
	sources, attempts, err := e.sources(ctx, a, job)
	if err != nil {
		return result{}, err
	}
	return e.runTask(ctx, a, job, &reduceTask{
		taskEnv: taskEnv{executor: e, attempt: a, job: job, scratch: scratch},
		sources: sources, attempts: attempts,
	})
}

// do reduces all groups of the task but those to omit.
func (w *reduceTask) run(ctx context.Context, omit []int64) (r result, err error) {
	in, err := w.open(ctx, w.scratch)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, in.merge.Close()) }()
	out, err := w.executor.createPart(ctx, w.job, w.attempt.Attempt.Task.Index)
	if err != nil {
		return result{}, err
	}
	counters, err := w.reduce(ctx, in, omit, out)
	if err != nil {
		return result{}, errors.Join(segmentOf(err, w.sources, w.attempts), out.abort())
	}
	stats := in.merge.Stats()
	counters["reduce_input_records"] = stats.Records
	counters["shuffle_read_bytes"] = stats.BytesFetched
	counters["shuffle_reads"] = stats.Requests
	counters["merge_rounds"] = int64(stats.Rounds)
	counters["spilled_bytes"] = stats.SpilledBytes
	return out.seal(counters)
}

// open begins the merge of the task's runs.
func (w *reduceTask) open(ctx context.Context, scratch string) (*mergeInput, error) {
	e := w.executor
	merge, err := shuffle.NewMerge(ctx, shuffle.MergeConfig{
		Combine:    w.job.program.Traits().Combine,
		SortValues: w.job.spec.SortValues,
		Memory:     e.slotMemory() / mergeShare,
		Scratch:    scratch,
		Fetches:    fetches,

		RequestCost: RequestCost(e.work.URL()),
	}, w.sources)
	if err != nil {
		return nil, segmentOf(err, w.sources, w.attempts)
	}
	var total int64 = 1
	for _, s := range w.sources {
		total += s.Segment.Records
	}
	return &mergeInput{stopped: ctx.Err, attempt: w.attempt, merge: merge, total: total}, nil
}

func (w *reduceTask) reduce(ctx context.Context, in *mergeInput, omit []int64, out *partWriter) (map[string]int64, error) {
	if w.job.program.Traits().Identity {
		return map[string]int64{}, in.copyTo(out)
	}
	attempt, err := w.executor.programAttempt(w.attempt, w.job, w.scratch)
	if err != nil {
		return nil, err
	}
	reducer, err := w.job.program.NewReducer(ctx, attempt)
	if err != nil {
		return nil, err
	}
	defer reducer.Kill()
	emitter := record.NewEmitter(emitBlock, out.take)
	next := in.next
	if len(omit) > 0 {
		next = (&groupPick{source: in.next, until: math.MaxInt64, omit: omit}).next
	}
	err = reducer.Reduce(next, emitter)
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
	in.attempt.signs.Add(1)
	if err != nil && !errors.Is(err, io.EOF) {
		in.err = err
	}
	in.attempt.thousandths.Store(min(999, in.merge.Stats().Records*1000/in.total))
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
func segmentOf(err error, sources []shuffle.Source, attempts []job.AttemptID) error {
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

// reduceWork is the work of a reduce attempt; its units are groups.
type reduceTask struct {
	taskEnv
	sources  []shuffle.Source
	attempts []job.AttemptID // whose sources they are
}
