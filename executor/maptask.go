package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/objstore"
)

// How a slot's memory is shared out in a map task. The rest is for batches, the parts of an
// upload, and slack.
const (
	collectShare   = 2  // one part in so many for records that wait to be sorted
	readAheadShare = 5  // for input that was read ahead
	recordShare    = 16 // for the longest record
	windowShare    = 4  // for a zstd frame that needs a longer window than is always taken; errors name it
	bufferShare    = 8  // for what a program gives and is still to be added up, or combined
	maxReadAhead   = 32 << 20
)

// mapTask maps a task's splits into one object of sorted segments, or, in a job without
// reducers, into a part of the output.
func (e *Executor) runMapTask(ctx context.Context, a *attempt, job *jobContext, scratch string) (result, error) {
	task, err := job.task(ctx, e, a, a.Attempt.Task.Index)
	if err != nil {
		return result{}, err
	}
	b, err := e.bounds(ctx, a, job, scratch)
	if err != nil {
		return result{}, err
	}
	// Later attempts make an object of their own: what the first one found may be what was lost.
	if job.restored && job.reduces > 0 && a.Attempt.Number == 1 {
		if r, found, err := e.adopt(ctx, a, job, b); found || err != nil {
			return r, err
		}
	}
	return e.runTask(ctx, a, job, &mapTask{
		taskEnv: taskEnv{executor: e, attempt: a, job: job, scratch: scratch}, task: task, bounds: b,
	})
}

// do maps all records of the task but those to omit.
func (w *mapTask) run(ctx context.Context, omit []int64) (result, error) {
	e, a, job := w.executor, w.attempt, w.job
	attempt, err := e.programAttempt(a, job, w.scratch)
	if err != nil {
		return result{}, err
	}
	attempt.Inputs = inputsOf(w.task)
	how := &mapProgress{attempt: a}
	attempt.Took = how.took
	mapper, err := job.program.NewMapper(ctx, attempt)
	if err != nil {
		return result{}, err
	}
	defer mapper.Kill()
	if job.reduces == 0 {
		return w.mapToOutput(ctx, mapper, how, omit)
	}
	return w.mapToSegments(ctx, mapper, how, omit)
}

func (w *mapTask) mapToSegments(ctx context.Context, mapper program.Mapper, how *mapProgress, omit []int64) (r result, err error) {
	e, a, job := w.executor, w.attempt, w.job
	var in intake
	count := func(stats shuffle.CollectStats) map[string]int64 {
		counters := in.counters(mapper)
		counters["map_output_records"] = stats.RecordsIn
		if combining, ok := mapper.(program.Combining); ok {
			if records, ok := combining.MapOutput(); ok {
				counters["map_output_records"] = records
			}
		}
		counters["shuffle_records"] = stats.RecordsOut
		counters["spilled_bytes"] = stats.SpilledBytes
		return counters
	}
	note := func(stats shuffle.CollectStats) ([]byte, error) { return w.segmentNote(count(stats)) }
	if len(omit) > 0 {
		note = nil // nobody may adopt it: what was set aside would be lost
	}
	collector, err := shuffle.NewCollector(shuffle.CollectorConfig{
		Note:        note,
		Identity:    identity(a.Attempt),
		Partitioner: w.bounds.partitioner,
		Combine:     job.program.Traits().Combine,
		SortValues:  job.spec.SortValues,
		Memory:      e.slotMemory() / collectShare,
		Scratch:     w.scratch,
	})
	if err != nil { // for want of memory for the job's reducers: nothing was opened yet
		return result{}, &configError{fmt.Errorf("%w: fewer reducers, or executors with more --memory for each slot, are needed", err)}
	}
	defer func() { err = errors.Join(err, collector.Close()) }()
	sink := mapSink{mapper: mapper, emitter: collector.Emitter(), progress: how}
	if direct, ok := mapper.(program.Collecting); ok {
		sink.collector, sink.direct = collector, direct
	}
	if in, err = w.feed(ctx, sink, omit); err != nil {
		return result{}, err
	}
	key := job.layout.Segment(a.Attempt)
	object, err := e.work.Create(ctx, key)
	if err != nil {
		return result{}, err
	}
	manifest, err := collector.Finish(ctx, progressWriter{object, a})
	if err != nil {
		return result{}, errors.Join(err, object.Abort())
	}
	if _, err := object.Commit(); err != nil {
		return result{}, err
	}
	counters := count(collector.Stats())
	counters["shuffle_bytes"] = manifest.Size
	encoded, err := manifest.AppendBinary(nil)
	return result{
		manifest: encoded,
		counters: counters,
		discard:  func(ctx context.Context) error { return e.work.Delete(ctx, key) },
	}, err
}

// movingWriter notes that an attempt gets on while it writes.
type progressWriter struct {
	io.Writer
	attempt *attempt
}

func (w progressWriter) Write(p []byte) (int, error) {
	w.attempt.signs.Add(1)
	return w.Writer.Write(p)
}

func (w *mapTask) mapToOutput(ctx context.Context, mapper program.Mapper, how *mapProgress, omit []int64) (result, error) {
	out, err := w.executor.createPart(ctx, w.job, w.attempt.Attempt.Task.Index)
	if err != nil {
		return result{}, err
	}
	emitter := record.NewEmitter(emitBlock, out.take)
	in, err := w.feed(ctx, mapSink{mapper: mapper, emitter: emitter, progress: how}, omit)
	if err == nil {
		err = emitter.Flush()
	}
	if err != nil {
		return result{}, errors.Join(err, out.abort())
	}
	counters := in.counters(mapper)
	counters["map_output_records"] = out.records
	return out.seal(counters)
}

// intake counts what a map task has read; records that are set aside are read, too.
type intake struct {
	records, bytes int64
}

// mapSink is a mapper and where its records go.
type mapSink struct {
	mapper  program.Mapper
	emitter *record.Emitter
	// progress is told what the mapper was handed.
	progress *mapProgress
	// direct is the mapper again, if it fills the collector itself.
	direct    program.Collecting
	collector *shuffle.Collector
}

func (s *mapSink) take(b *record.Batch) error {
	if s.direct != nil {
		return s.direct.MapTo(b, s.collector)
	}
	return s.mapper.Map(b, s.emitter)
}

// feed drives all records of a task but those to omit through the mapper.
func (w *mapTask) feed(ctx context.Context, sink mapSink, omit []int64) (in intake, err error) {
	var (
		done  int64
		total = max(w.task.Bytes(), 1)
		take  = sink.take
	)
	if len(omit) > 0 {
		take = (&recordPick{pass: sink.take, until: math.MaxInt64, omit: omit}).take
	}
	queue := w.splits(ctx)
	defer func() { err = errors.Join(err, queue.close()) }()
	for _, s := range w.task {
		r, err := queue.next()
		if err != nil {
			return in, err
		}
		n, err := readAll(ctx, w.attempt, s, r, func(b *record.Batch, progress int64) error {
			if err := take(b); err != nil {
				return err
			}
			if err := sink.emitter.Err(); err != nil {
				return fmt.Errorf("map %s: %w", objstore.Shown(s.Input), err)
			}
			in.records += int64(b.Len())
			sink.progress.handed(sink.mapper, (done+progress)*1000/total)
			return nil
		})
		in.bytes += n
		if err != nil {
			return in, err
		}
		done += s.Length
	}
	if err := sink.mapper.Close(sink.emitter); err != nil {
		return in, err
	}
	w.attempt.thousandths.Store(1000)
	return in, sink.emitter.Err()
}

func (in intake) counters(worker any) map[string]int64 {
	counters := userCounters(worker)
	counters["map_input_records"] = in.records
	counters["map_input_bytes"] = in.bytes
	return counters
}

// segmentNote encodes what is left in the object of a map attempt with these counters.
func (w *mapTask) segmentNote(counters map[string]int64) ([]byte, error) {
	text, err := json.Marshal(segmentNote{Pages: w.job.plan.Pages, Bounds: w.bounds.name, Counters: counters})
	if err != nil {
		return nil, fmt.Errorf("encode the note of a map output: %w", err)
	}
	return text, nil
}

// mapWork is the work of a map attempt; its units are records.
type mapTask struct {
	taskEnv
	task   input.Task
	bounds *bounds
	marks  []mark // of what was read for trying; sorted
}

// segmentNote is what a map attempt leaves in its object for a job that must be restored: all of
// its commit that the object itself does not tell.
type segmentNote struct {
	Pages    string           `json:"pages"`            // names the plan that the attempt worked for
	Bounds   string           `json:"bounds,omitempty"` // and its partition bounds, in total order
	Counters map[string]int64 `json:"counters"`
}
