package executor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/bucketmill/bucketmill/executor/badrecords"
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// task is the work of an attempt: a mapTask or a reduceTask. Its units are records or groups.
type task interface {
	// run does the whole task, except the units to omit, which are sorted.
	run(ctx context.Context, omit []int64) (result, error)
	badrecords.Units
}

// result is what an attempt has made: an object that counts only once the attempt is committed.
type result struct {
	manifest []byte // in full
	counters map[string]int64
	discard  func(context.Context) error // deletes the object
}

// taskEnv is what a task works with.
type taskEnv struct {
	executor *Executor
	attempt  *attempt
	job      *jobContext
	scratch  string // the attempt's folder on local disk
}

// runTask does a task. If the program fails, and the attempt may skip bad records, runTask finds
// the units on which the program fails, saves them, and does the rest.
func runTask(ctx context.Context, env *taskEnv, t task) (result, error) {
	r, err := t.run(ctx, nil)
	why := badrecords.Fault(ctx, err)
	if why == nil || why.Final || !env.maySkip() {
		return r, err
	}
	saver := badrecords.NewSaver(env.executor.work, env.job.layout.Skipped(env.attempt.Attempt), env.attempt.Attempt)
	bad, err := badrecords.Find(ctx, t, env.job.spec.SkipBadRecords, why, saver.Add)
	if err == nil {
		if r, err = t.run(ctx, bad); err != nil {
			if why := badrecords.Fault(ctx, err); why != nil {
				err = badrecords.NotSkipped(why, fmt.Sprintf("it also fails without the %d on which it fails alone", len(bad)))
			}
		}
	}
	if err != nil {
		return result{}, errors.Join(err, saver.Abort())
	}
	if err := saver.Commit(); err != nil {
		return result{}, errors.Join(err, r.discard(ctx))
	}
	r.counters[job.SkippedBy(env.attempt.Attempt.Task)] = int64(len(bad))
	discard := r.discard
	r.discard = func(ctx context.Context) error {
		return errors.Join(discard(ctx), saver.Delete(ctx))
	}
	return r, nil
}

// skippingAttempt is the number of a task's first attempt that skips bad records. Earlier failures
// may be chance.
const skippingAttempt = 3

// maySkip reports whether the attempt may skip bad records.
func (env *taskEnv) maySkip() bool {
	return env.job.maySkip() && env.attempt.Attempt.Number >= min(skippingAttempt, env.executor.limits(env.job).User)
}

// limits returns the limits for a job's attempts; j may be nil.
func (e *Executor) limits(j *jobContext) state.Limits {
	limits := e.cfg.Limits
	if j != nil && j.spec.MaxAttempts > 0 {
		limits.User = j.spec.MaxAttempts
	}
	return limits
}

// programFolder is where a program works in an attempt's scratch folder, apart from spilled data.
const programFolder = "program"

// programAttempt returns what a program needs to know of its attempt, and makes the folder, below
// scratch, that it works in. A map task has splits.
func (env *taskEnv) programAttempt(scratch string, splits input.Task) (program.Attempt, error) {
	e, a, j := env.executor, env.attempt, env.job
	scratch = filepath.Join(scratch, programFolder)
	if j.foreign() {
		if err := a.user.MakeFolder(scratch); err != nil {
			return program.Attempt{}, fmt.Errorf("make the program's folder: %w", err)
		}
	}
	if log := e.cfg.ProgramLog; log != nil {
		a.log.pass = func(line []byte) { log(a.Attempt, line) }
	}
	a.log.progressed = a.progressed
	return program.Attempt{
		Progressed: a.progressed, Inputs: programInputs(splits),
		Job: string(j.id), Side: a.Attempt.Task.Side.String(),
		Task: a.Attempt.Task.Index, Number: a.Attempt.Number - 1,
		Scratch: scratch, User: a.user, Log: &a.log, Format: j.format.String(), Lines: j.format.Traits().Lines,
		SortValues: j.spec.SortValues,
		Reducers:   j.reduces, MapOnly: j.reduces == 0 && a.Attempt.Task.Side == job.Map,
		Memory: e.cfg.ProgramMemory, Buffer: e.slotMemory() / bufferShare,
	}, nil
}

// programInputs returns the splits of a task as its program gets to know them.
func programInputs(task input.Task) []program.Input {
	if len(task) == 0 {
		return nil
	}
	inputs := make([]program.Input, len(task))
	for i, s := range task {
		inputs[i] = program.Input{URL: s.Input, Start: s.Offset, Length: s.Length}
	}
	return inputs
}

// probe tries the program: it calls run with a scratch folder that is removed afterwards, and an
// emitter that drops its records. The program's log is dropped, too. A map task has splits.
func (env *taskEnv) probe(splits input.Task, run func(attempt program.Attempt, drop *record.Emitter) error) (err error) {
	scratch := filepath.Join(env.scratch, "probe")
	if err := process.PassableFolder(scratch); err != nil {
		return fmt.Errorf("make scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, process.RemoveScratch(scratch)) }()
	attempt, err := env.programAttempt(scratch, splits)
	if err != nil {
		return err
	}
	attempt.Log = nil
	return run(attempt, record.NewEmitter(emitBlock, func(block []byte) ([]byte, error) { return block, nil }))
}

// userCounters returns the counters of a mapper or a reducer, with a prefix that none of ours has.
func userCounters(worker any) map[string]int64 {
	counters := map[string]int64{}
	if counting, ok := worker.(program.Counting); ok {
		for name, n := range counting.Counters() {
			counters["user:"+name] = n
		}
	}
	return counters
}
