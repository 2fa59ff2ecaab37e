package executor

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"

	"github.com/bucketmill/bucketmill/executor/badrecords"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/job"
)

const (
	mergeShare = 2 // the merge gets a half of a slot's memory
	fetches    = 4 // ranged reads under way for one reduce task
	emitBlock  = 64 << 10

	// networkRequest is the cost of a ranged read from an object store, as the bytes that a core
	// could send through a scratch run at this cost. A read takes 15 ms, and a task has four under
	// way; or it costs $0.0000004, the price of 36 ms of a core at $0.04 an hour. A core does 150
	// MB/s. See docs/cost-model.md.
	networkRequest = 1 << 20
)

// RequestCost returns the cost of a ranged read from a store, for a shuffle.MergeConfig.
func RequestCost(storeURL string) int64 {
	if strings.HasPrefix(storeURL, "file:") {
		return 0 // a system call
	}
	return networkRequest
}

// reduceTask is one attempt at a reduce task: it merges the segments of its partition, straight
// from the segment files on the work store, and reduces the groups into a part of the output.
type reduceTask struct {
	taskEnv
	sources  []segfile.Source
	attempts []job.AttemptID // the map attempts that the sources belong to, by index
}

// runReduceTask runs a reduce attempt: it finds the segments of its partition, and reduces them.
func runReduceTask(ctx context.Context, env taskEnv) (result, error) {
	t := &reduceTask{taskEnv: env}
	var err error
	if t.sources, t.attempts, err = t.executor.sources(ctx, t.attempt, t.job); err != nil {
		return result{}, err
	}
	return runTask(ctx, &t.taskEnv, t)
}

// run reduces all groups of the task except those to omit. The part is sealed: it stays invisible
// until the job is published. The commit carries the handle by which it is completed then.
func (t *reduceTask) run(ctx context.Context, omit []int64) (r result, err error) {
	in, err := t.openMerge(ctx, t.scratch)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, in.merge.Close()) }()
	out, err := t.executor.createPart(ctx, t.job, t.attempt.Attempt.Task.Index)
	if err != nil {
		return result{}, err
	}
	counters, err := t.reduce(ctx, in, omit, out)
	if err != nil {
		return result{}, errors.Join(segmentOf(err, t.sources, t.attempts), out.Abort())
	}
	stats := in.merge.Stats()
	counters["reduce_input_records"] = stats.Records
	counters["shuffle_read_bytes"] = stats.BytesFetched
	counters["shuffle_reads"] = stats.Requests
	counters["merge_rounds"] = int64(stats.Rounds)
	counters["spilled_bytes"] = stats.SpilledBytes
	return out.seal(counters)
}

// openMerge begins the merge of the task's segments.
func (t *reduceTask) openMerge(ctx context.Context, scratch string) (*mergeInput, error) {
	e := t.executor
	merge, err := shuffle.NewMerge(ctx, shuffle.MergeConfig{
		Combine:    t.job.program.Traits().Combine,
		SortValues: t.job.spec.SortValues,
		Memory:     e.slotMemory() / mergeShare,
		Scratch:    scratch,
		Fetches:    fetches,

		RequestCost: RequestCost(e.work.URL()),
	}, t.sources)
	if err != nil {
		return nil, segmentOf(err, t.sources, t.attempts)
	}
	var total int64 = 1
	for _, s := range t.sources {
		total += s.Segment.Records
	}
	return &mergeInput{stopped: ctx.Err, attempt: t.attempt, merge: merge, total: total}, nil
}

// reduce passes all groups except those to omit to the reducer, and what it emits to the part.
func (t *reduceTask) reduce(ctx context.Context, in *mergeInput, omit []int64, out partWriter) (map[string]int64, error) {
	if t.job.program.Traits().Identity {
		return map[string]int64{}, in.copyTo(out)
	}
	attempt, err := t.programAttempt(t.scratch, nil)
	if err != nil {
		return nil, err
	}
	reducer, err := t.job.program.NewReducer(ctx, attempt)
	if err != nil {
		return nil, err
	}
	defer reducer.Kill()
	emitter := record.NewEmitter(emitBlock, out.Take)
	next := in.nextBlock
	if len(omit) > 0 {
		next = (&badrecords.GroupFilter{Source: in.nextBlock, Until: math.MaxInt64, Omit: omit}).Next
	}
	err = reducer.Reduce(next, emitter)
	if in.err != nil {
		return nil, in.err // the merge failed, and the reducer for this reason
	}
	if err != nil {
		return nil, err
	}
	return userCounters(reducer), emitter.Flush()
}

// mergeInput passes merged blocks to a reducer, and keeps the attempt's progress.
type mergeInput struct {
	stopped func() error // returns an error when the attempt must stop
	attempt *attempt
	merge   *shuffle.Merge
	total   int64 // records, about
	err     error // how the merge failed
}

// nextBlock returns the next block of merged records, or io.EOF.
func (in *mergeInput) nextBlock() ([]byte, error) {
	if err := in.stopped(); err != nil {
		return nil, err
	}
	block, err := in.merge.Next()
	in.attempt.progressed()
	if err != nil && !errors.Is(err, io.EOF) {
		in.err = err
	}
	in.attempt.thousandths.Store(min(999, in.merge.Stats().Records*1000/in.total))
	return block, err
}

// copyTo writes all merged records to a part, for a reducer that changes nothing.
func (in *mergeInput) copyTo(out partWriter) error {
	for {
		block, err := in.nextBlock()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := out.Take(block); err != nil {
			return err
		}
	}
}

// segmentOf returns an error of the merge as a segmentError, if it is about one map attempt's
// segment.
func segmentOf(err error, sources []segfile.Source, attempts []job.AttemptID) error {
	var corrupt *segfile.CorruptError
	if errors.As(err, &corrupt) {
		for i, s := range sources {
			if s.Name == corrupt.Object {
				return &segmentError{attempt: attempts[i], err: err}
			}
		}
	}
	return err
}
