package executor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

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
	moved := func() { a.signs.Add(1) }
	a.log.progressed = moved
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

// careful tells whether an attempt may set records aside.
func (e *Executor) mayIsolate(a *attempt, job *jobContext) bool {
	return job.maySkip() && a.Attempt.Number >= min(isolatingAttempt, e.limits(job).User)
}

// limits are those that hold for a job's attempts; the job may be nil.
func (e *Executor) limits(job *jobContext) state.Limits {
	limits := e.cfg.Limits
	if job != nil && job.spec.MaxAttempts > 0 {
		limits.User = job.spec.MaxAttempts
	}
	return limits
}

// perhapsSkipping does an attempt's work. When the program fails, and the attempt may, it finds
// the units that make it fail, sets them aside, and does the rest.
func (e *Executor) runTask(ctx context.Context, a *attempt, j *jobContext, w task) (result, error) {
	r, err := w.run(ctx, nil)
	why := programFault(ctx, err)
	if why == nil || why.Final || !e.mayIsolate(a, j) {
		return r, err
	}
	aside := &setAside{bucket: e.work, key: j.layout.Skipped(a.Attempt), attempt: a.Attempt}
	bad, err := findBad(ctx, w, j.spec.SkipBadRecords, why, func(unit int64, why *program.UserError) error {
		record, err := w.describe(ctx, unit)
		if err != nil {
			return err
		}
		return aside.add(ctx, record, why)
	})
	if err == nil {
		if r, err = w.run(ctx, bad); err != nil {
			if why := programFault(ctx, err); why != nil {
				err = notSkipped(why, fmt.Sprintf("it also fails without the %d on which it fails alone", len(bad)))
			}
		}
	}
	if err != nil {
		return result{}, errors.Join(err, aside.abort())
	}
	if err := aside.commit(); err != nil {
		return result{}, errors.Join(err, r.discard(ctx))
	}
	r.counters[job.SkippedBy(a.Attempt.Task)] = int64(len(bad))
	discard := r.discard
	r.discard = func(ctx context.Context) error {
		return errors.Join(discard(ctx), e.work.Delete(ctx, aside.key))
	}
	return r, nil
}

// result is what an attempt has made: an object that stays void until it is committed.
type result struct {
	manifest []byte // in full
	counters map[string]int64
	discard  func(context.Context) error // throws the object away
}

// work is what an attempt has to do, in units that can be set aside one by one: the records of
// a map task, the groups (a key with all its values) of a reduce task. Units are named by their
// ordinals in the task, from 0, which are the same for every attempt.
type task interface {
	// do does it all, but for the units to omit, which are sorted.
	run(ctx context.Context, omit []int64) (result, error)
	// try runs the program anew over the units from one on and before another, and throws away
	// what it makes. End is the unit behind the last one that it was given.
	try(ctx context.Context, from, until int64) (end int64, err error)
	// named returns the unit in that range that an error of the program names, or -1.
	named(ctx context.Context, from, until int64, why *program.UserError) (int64, error)
	// describe returns what is told of a unit.
	describe(ctx context.Context, unit int64) (skippedRecord, error)
}

// probing is what trying out a map task has in common with trying out a reduce task.
type taskEnv struct {
	executor *Executor
	attempt  *attempt
	job      *jobContext
	scratch  string
}

// probe has run do something in a scratch folder of its own, as the program expects it, whose
// log nobody wants.
func (p *taskEnv) probe(run func(attempt program.Attempt, drop *record.Emitter) error) (err error) {
	scratch := filepath.Join(p.scratch, "probe")
	if err := program.PassableFolder(scratch); err != nil {
		return fmt.Errorf("make scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, program.RemoveScratch(scratch)) }()
	attempt, err := p.executor.programAttempt(p.attempt, p.job, scratch)
	if err != nil {
		return err
	}
	attempt.Log = nil
	return run(attempt, record.NewEmitter(emitBlock, func(block []byte) ([]byte, error) { return block, nil }))
}

// carefulAttempt is the attempt from which on a task's bad records are looked for: before,
// it may be chance.
const isolatingAttempt = 3

// programFolder is where a program works in an attempt's scratch folder, apart from what is spilled there.
const programFolder = "program"

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
