package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/job"
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
func (e *Executor) mapTask(ctx context.Context, a *attempt, job *jobContext, scratch string) (result, error) {
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
	return e.perhapsSkipping(ctx, a, job, &mapWork{
		probing: probing{executor: e, attempt: a, job: job, scratch: scratch}, task: task, bounds: b,
	})
}

// do maps all records of the task but those to omit.
func (w *mapWork) do(ctx context.Context, omit []int64) (result, error) {
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

// inputsOf are what a task reads, as programs are told.
func inputsOf(task input.Task) []program.Input {
	inputs := make([]program.Input, len(task))
	for i, s := range task {
		inputs[i] = program.Input{URL: s.Input, Start: s.Offset, Length: s.Length}
	}
	return inputs
}

func (w *mapWork) mapToSegments(ctx context.Context, mapper program.Mapper, how *mapProgress, omit []int64) (r result, err error) {
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
		Codec:       e.cfg.Codec,
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
	manifest, err := collector.Finish(ctx, movingWriter{object, a})
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
type movingWriter struct {
	io.Writer
	attempt *attempt
}

func (w movingWriter) Write(p []byte) (int, error) {
	w.attempt.moves.Add(1)
	return w.Writer.Write(p)
}

func (w *mapWork) mapToOutput(ctx context.Context, mapper program.Mapper, how *mapProgress, omit []int64) (result, error) {
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
func (w *mapWork) feed(ctx context.Context, sink mapSink, omit []int64) (in intake, err error) {
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
	w.attempt.progress.Store(1000)
	return in, sink.emitter.Err()
}

// SplitOptions is how inputs are read by a slot with so many bytes of memory.
func SplitOptions(format input.Format, memory int64) input.Options {
	return input.Options{
		Format:         format,
		MaxRecord:      memory / recordShare,
		ReadAheadBytes: min(memory/readAheadShare, maxReadAhead),
		MaxWindow:      max(memory/windowShare, input.DefaultMaxWindow),
	}
}

// readAll hands the batches of a split to take, each with how many bytes of the split are
// consumed then, and closes it. It returns the number of bytes that it received.
func readAll(ctx context.Context, a *attempt, s input.Split, r *input.Reader, take func(b *record.Batch, progress int64) error) (n int64, err error) {
	defer func() {
		n = r.BytesRead()
		err = errors.Join(err, r.Close())
	}()
	for {
		batch, err := r.Next()
		if errors.Is(err, io.EOF) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if err := take(batch, r.Progress()); err != nil {
			return 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("map %s: %w", objstore.Shown(s.Input), err)
		}
		a.moves.Add(1)
	}
}

// openSplit begins to read a split.
func (e *Executor) openSplit(ctx context.Context, job *jobContext, s input.Split, opts input.Options) (*input.Reader, error) {
	bucket, key := objstore.CutURL(s.Input) // a key that was listed need not be one that can be named
	b, _, err := e.cfg.Open(ctx, bucket)
	if err != nil {
		return nil, err
	}
	opts.Heads = job.heads
	opts.Direct = strings.HasPrefix(s.Input, "file:")
	return input.Open(ctx, s, opts, func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		return b.GetVersion(ctx, key, s.ETag, offset, length)
	})
}

func (in intake) counters(worker any) map[string]int64 {
	counters := userCounters(worker)
	counters["map_input_records"] = in.records
	counters["map_input_bytes"] = in.bytes
	return counters
}

// userCounters are the program's own, each under a name that can't be one of ours.
func userCounters(worker any) map[string]int64 {
	counters := map[string]int64{}
	if counting, ok := worker.(program.Counting); ok {
		for name, n := range counting.Counters() {
			counters["user:"+name] = n
		}
	}
	return counters
}

// programFolder is where a program works in an attempt's scratch folder, apart from what is spilled there.
const programFolder = "program"

// programAttempt tells a program what it runs for, and makes the folder that it works in.
func (e *Executor) programAttempt(a *attempt, j *jobContext, scratch string) (program.Attempt, error) {
	scratch = filepath.Join(scratch, programFolder)
	if j.foreign() {
		if err := a.user.MakeFolder(scratch); err != nil {
			return program.Attempt{}, fmt.Errorf("make the program's folder: %w", err)
		}
	}
	if log := e.cfg.ProgramLog; log != nil {
		a.log.pass = func(line []byte) { log(a.Attempt, line) }
	}
	moved := func() { a.moves.Add(1) }
	a.log.moved = moved
	return program.Attempt{
		Moved: moved,
		Job:   string(j.id), Phase: a.Attempt.Task.Side.String(),
		Task: a.Attempt.Task.Index, Number: a.Attempt.Number - 1,
		Scratch: scratch, User: a.user, Log: &a.log, Format: j.format.String(),
		SortValues: j.spec.SortValues,
		Reducers:   j.reduces, MapOnly: j.reduces == 0 && a.Attempt.Task.Side == job.Map,
		Memory: e.cfg.ProgramMemory, Buffer: e.slotMemory() / bufferShare,
	}, nil
}
