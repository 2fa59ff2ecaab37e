package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/bucketmill/bucketmill/executor/badrecords"
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/sampling"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/objstore"
)

// Shares of a slot's memory in a map task: each is a divisor of the whole. The rest is for batches,
// upload parts, and slack.
const (
	collectShare   = 2  // records that wait to be sorted
	readAheadShare = 5  // input that is read ahead
	recordShare    = 16 // the longest record
	windowShare    = 4  // the longest window of a zstd frame, unless DefaultMaxWindow is longer; errors name it
	bufferShare    = 8  // emitted records that wait to be added up or combined
	maxReadAhead   = 32 << 20
)

// mapTask is one attempt at a map task: it maps the records of its splits into one segment file,
// or, in a job without reducers, into a part of the output.
type mapTask struct {
	taskEnv
	splits input.Task
	bounds *sampling.Bounds // how keys choose a partition
	marks  []mark           // places at which probes may begin to read; sorted
}

// runMapTask runs a map attempt: it finds out what to map, and maps it. After a data loss it may
// find that an earlier attempt has done the work.
func runMapTask(ctx context.Context, env taskEnv) (result, error) {
	t := &mapTask{taskEnv: env}
	var err error
	if t.splits, err = t.job.task(ctx, t.executor, t.attempt, t.attempt.Attempt.Task.Index); err != nil {
		return result{}, err
	}
	if t.bounds, err = t.findBounds(ctx); err != nil {
		return result{}, err
	}
	// Only the first attempt adopts. Later ones write a segment file of their own: the one that the
	// first attempt adopted may be the one that was lost.
	if t.job.restored && t.job.reduces > 0 && t.attempt.Attempt.Number == 1 {
		if r, found, err := t.adopt(ctx); found || err != nil {
			return r, err
		}
	}
	return runTask(ctx, &t.taskEnv, t)
}

// run maps all records of the task except those to omit.
func (t *mapTask) run(ctx context.Context, omit []int64) (result, error) {
	attempt, err := t.programAttempt(t.scratch, t.splits)
	if err != nil {
		return result{}, err
	}
	progress := &mapProgress{attempt: t.attempt}
	attempt.Took = progress.took
	mapper, err := t.job.program.NewMapper(ctx, attempt)
	if err != nil {
		return result{}, err
	}
	defer mapper.Kill()
	if t.job.reduces == 0 {
		return t.mapToPart(ctx, mapper, progress, omit)
	}
	return t.mapToSegments(ctx, mapper, progress, omit)
}

// mapToSegments maps the records into a segment file.
func (t *mapTask) mapToSegments(ctx context.Context, mapper program.Mapper, progress *mapProgress, omit []int64) (r result, err error) {
	var in intake
	note := func(stats shuffle.CollectStats) ([]byte, error) { return t.note(segmentCounters(in, mapper, stats)) }
	if len(omit) > 0 {
		note = nil // no attempt may adopt the file: what was skipped would be lost
	}
	collector, err := shuffle.NewCollector(shuffle.CollectorConfig{
		Note:        note,
		Identity:    identity(t.attempt.Attempt),
		Partitioner: t.bounds.Partitioner,
		Combine:     t.job.program.Traits().Combine,
		SortValues:  t.job.spec.SortValues,
		Memory:      t.executor.slotMemory() / collectShare,
		Scratch:     t.scratch,
	})
	if err != nil { // too little memory for the job's reducers: nothing was opened yet
		return result{}, &configError{fmt.Errorf("%w: fewer reducers, or executors with more --memory for each slot, are needed", err)}
	}
	defer func() { err = errors.Join(err, collector.Close()) }()
	sink := mapSink{mapper: mapper, emitter: collector.Emitter(), progress: progress}
	if direct, ok := mapper.(program.Collecting); ok {
		sink.collector, sink.direct = collector, direct
	}
	if in, err = t.feed(ctx, sink, omit); err != nil {
		return result{}, err
	}
	return t.writeSegmentFile(ctx, collector, func() map[string]int64 {
		return segmentCounters(in, mapper, collector.Stats())
	})
}

// writeSegmentFile writes what was collected as the attempt's segment file. The commit carries the
// file's manifest, which says where each segment is.
func (t *mapTask) writeSegmentFile(ctx context.Context, collector *shuffle.Collector, count func() map[string]int64) (result, error) {
	work, key := t.executor.work, t.job.layout.Segment(t.attempt.Attempt)
	object, err := work.Create(ctx, key)
	if err != nil {
		return result{}, err
	}
	manifest, err := collector.Finish(ctx, progressWriter{object, t.attempt})
	if err != nil {
		return result{}, errors.Join(err, object.Abort())
	}
	if _, err := object.Commit(); err != nil {
		return result{}, err
	}
	counters := count()
	counters["shuffle_bytes"] = manifest.Size
	encoded, err := manifest.AppendBinary(nil)
	return result{
		manifest: encoded,
		counters: counters,
		discard:  func(ctx context.Context) error { return work.Delete(ctx, key) },
	}, err
}

// progressWriter counts each write as progress of an attempt.
type progressWriter struct {
	io.Writer
	attempt *attempt
}

func (w progressWriter) Write(p []byte) (int, error) {
	w.attempt.progressed()
	return w.Writer.Write(p)
}

// segmentNote is what a map attempt adds to its segment file. If the job must be restored, the note
// and the rest of the file are enough to repeat the commit.
type segmentNote struct {
	Pages    string           `json:"pages"`            // names the plan that the attempt worked for
	Bounds   string           `json:"bounds,omitempty"` // names its partition bounds, in total order
	Counters map[string]int64 `json:"counters"`
}

// note encodes the note of the task's segment file.
func (t *mapTask) note(counters map[string]int64) ([]byte, error) {
	text, err := json.Marshal(segmentNote{Pages: t.job.plan.Pages, Bounds: t.bounds.Name, Counters: counters})
	if err != nil {
		return nil, fmt.Errorf("encode the note of a segment file: %w", err)
	}
	return text, nil
}

// mapToPart maps the records into a part of the output.
func (t *mapTask) mapToPart(ctx context.Context, mapper program.Mapper, progress *mapProgress, omit []int64) (result, error) {
	out, err := t.executor.createPart(ctx, t.job, t.attempt.Attempt.Task.Index)
	if err != nil {
		return result{}, err
	}
	emitter := record.NewEmitter(emitBlock, out.Take)
	in, err := t.feed(ctx, mapSink{mapper: mapper, emitter: emitter, progress: progress}, omit)
	if err == nil {
		err = emitter.Flush()
	}
	if err != nil {
		return result{}, errors.Join(err, out.Abort())
	}
	counters := in.counters(mapper)
	counters["map_output_records"] = out.Records()
	return out.seal(counters)
}

// mapSink is a mapper and where its records go.
type mapSink struct {
	mapper  program.Mapper
	emitter *record.Emitter
	// progress is told which bytes the mapper got.
	progress *mapProgress
	// direct is the mapper again, if it fills the collector itself.
	direct    program.Collecting
	collector *shuffle.Collector
}

// mapBatch maps the records of a batch.
func (s *mapSink) mapBatch(b *record.Batch) error {
	if s.direct != nil {
		return s.direct.MapTo(b, s.collector)
	}
	return s.mapper.Map(b, s.emitter)
}

// feed passes all records of the task, except those to omit, to the mapper, and ends it.
func (t *mapTask) feed(ctx context.Context, sink mapSink, omit []int64) (in intake, err error) {
	var (
		done     int64
		total    = max(t.splits.Bytes(), 1)
		mapBatch = sink.mapBatch
	)
	if len(omit) > 0 {
		mapBatch = (&badrecords.RecordFilter{Pass: sink.mapBatch, Until: math.MaxInt64, Omit: omit}).Filter
	}
	queue := t.openAhead(ctx)
	defer func() { err = errors.Join(err, queue.close()) }()
	for _, s := range t.splits {
		r, err := queue.next()
		if err != nil {
			return in, err
		}
		n, err := readAll(ctx, t.attempt, s, r, func(b *record.Batch, progress int64) error {
			if err := mapBatch(b); err != nil {
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
	t.attempt.thousandths.Store(1000)
	return in, sink.emitter.Err()
}

// intake counts what a map task has read, skipped records included.
type intake struct {
	records, bytes int64
}

// counters returns the counters of a mapper that got this input.
func (in intake) counters(mapper program.Mapper) map[string]int64 {
	counters := userCounters(mapper)
	counters["map_input_records"] = in.records
	counters["map_input_bytes"] = in.bytes
	return counters
}

// segmentCounters returns the counters of a mapper whose records were collected.
func segmentCounters(in intake, mapper program.Mapper, stats shuffle.CollectStats) map[string]int64 {
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
