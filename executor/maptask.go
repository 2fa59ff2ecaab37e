package executor

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/executor/split"
	"github.com/bucketmill/bucketmill/mapred"
	"github.com/bucketmill/bucketmill/state"
)

// How a slot's memory is shared out in a map task. The rest is for batches, the parts of an
// upload, and slack.
const (
	collectShare   = 2  // one part in so many for records that wait to be sorted
	readAheadShare = 5  // for input that was read ahead
	recordShare    = 16 // for the longest record
	maxReadAhead   = 32 << 20
)

// mapTask maps a task's splits into one object of sorted segments, or, in a job without
// reducers, into a part of the output.
func (e *Executor) mapTask(ctx context.Context, a *attempt, job *jobContext, scratch string) (result, error) {
	task, err := job.task(ctx, e.work, a.Attempt.Task.Index)
	if err != nil {
		return result{}, err
	}
	mapper, err := job.program.NewMapper(ctx, e.programAttempt(a, job, scratch))
	if err != nil {
		return result{}, err
	}
	defer mapper.Kill()
	if job.reduces == 0 {
		return e.mapToOutput(ctx, a, job, task, mapper)
	}
	return e.mapToSegments(ctx, a, job, task, mapper, scratch)
}

func (e *Executor) mapToSegments(ctx context.Context, a *attempt, job *jobContext, task split.Task, mapper program.Mapper, scratch string) (r result, err error) {
	collector, err := shuffle.NewCollector(shuffle.CollectorConfig{
		Identity:    identity(a.Attempt),
		Partitioner: shuffle.Partitioner{Partitions: job.reduces},
		Combine:     job.program.Traits().Combine,
		Memory:      e.slotMemory() / collectShare,
		Scratch:     scratch,
		Codec:       e.cfg.Codec,
	})
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, collector.Close()) }()
	sink := mapSink{mapper: mapper, emitter: collector.Emitter()}
	if direct, ok := mapper.(program.Collecting); ok {
		sink.collector, sink.direct = collector, direct
	}
	in, err := e.feed(ctx, a, job, task, sink)
	if err != nil {
		return result{}, err
	}
	key := job.layout.Segment(a.Attempt)
	w, err := e.work.Create(ctx, key)
	if err != nil {
		return result{}, err
	}
	manifest, err := collector.Finish(ctx, w)
	if err != nil {
		return result{}, errors.Join(err, w.Abort())
	}
	if _, err := w.Commit(); err != nil {
		return result{}, err
	}
	stats := collector.Stats()
	counters := in.counters(mapper)
	counters["map_output_records"] = stats.RecordsIn
	counters["shuffle_records"] = stats.RecordsOut
	counters["shuffle_bytes"] = manifest.Size
	counters["spilled_bytes"] = stats.SpilledBytes
	encoded, err := manifest.AppendBinary(nil)
	return result{
		manifest: encoded,
		counters: counters,
		discard:  func(ctx context.Context) error { return e.work.Delete(ctx, key) },
	}, err
}

func (e *Executor) mapToOutput(ctx context.Context, a *attempt, job *jobContext, task split.Task, mapper program.Mapper) (result, error) {
	out, err := e.createPart(ctx, job, a.Attempt.Task.Index)
	if err != nil {
		return result{}, err
	}
	emitter := mapred.NewEmitter(emitBlock, out.take)
	in, err := e.feed(ctx, a, job, task, mapSink{mapper: mapper, emitter: emitter})
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

// intake counts what a map task has read.
type intake struct {
	records, bytes int64
}

// mapSink is a mapper and where its records go.
type mapSink struct {
	mapper  program.Mapper
	emitter *mapred.Emitter
	// direct is the mapper again, if it fills the collector itself.
	direct    program.Collecting
	collector *shuffle.Collector
}

func (s *mapSink) take(b *mapred.Batch) error {
	if s.direct != nil {
		return s.direct.MapTo(b, s.collector)
	}
	return s.mapper.Map(b, s.emitter)
}

// feed drives all records of a task through the mapper.
func (e *Executor) feed(ctx context.Context, a *attempt, job *jobContext, task split.Task, sink mapSink) (intake, error) {
	var (
		in    intake
		done  int64
		total = max(task.Bytes(), 1)
	)
	for _, s := range task {
		if err := e.feedSplit(ctx, job, s, sink, &in, func(progress int64) {
			a.progress.Store((done + progress) * 1000 / total)
		}); err != nil {
			return in, err
		}
		done += s.Length
	}
	if err := sink.mapper.Close(sink.emitter); err != nil {
		return in, err
	}
	return in, sink.emitter.Err()
}

func (e *Executor) feedSplit(ctx context.Context, job *jobContext, s split.Split, sink mapSink, in *intake, report func(int64)) (err error) {
	b, key, err := e.cfg.Open(ctx, s.Input)
	if err != nil {
		return err
	}
	memory := e.slotMemory()
	r, err := split.Open(ctx, s, split.Options{
		Format:         job.format,
		MaxRecord:      memory / recordShare,
		ReadAheadBytes: min(memory/readAheadShare, maxReadAhead),
	}, func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		return b.Get(ctx, key, offset, length)
	})
	if err != nil {
		return err
	}
	defer func() {
		in.bytes += r.BytesRead()
		err = errors.Join(err, r.Close())
	}()
	for {
		batch, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := sink.take(batch); err != nil {
			return err
		}
		if err := errors.Join(sink.emitter.Err(), ctx.Err()); err != nil {
			return fmt.Errorf("map %s: %w", s.Input, err)
		}
		in.records += int64(batch.Len())
		report(r.Progress())
	}
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

// programAttempt tells a program what it runs for.
func (e *Executor) programAttempt(a *attempt, job *jobContext, scratch string) program.Attempt {
	if log := e.cfg.ProgramLog; log != nil {
		a.log.pass = func(line []byte) { log(a.Attempt, line) }
	}
	return program.Attempt{
		Job: string(job.id), Phase: a.Attempt.Task.Side.String(),
		Task: a.Attempt.Task.Index, Number: a.Attempt.Number - 1,
		Scratch: scratch, Log: &a.log, Format: job.format.String(),
		Reducers: job.reduces, MapOnly: job.reduces == 0 && a.Attempt.Task.Side == state.Map,
	}
}
