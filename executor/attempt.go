package executor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// endTimeout limits what an attempt does after its context has ended: to report its failure, and to
// delete what it made.
const endTimeout = 10 * time.Second

// attempt is a running attempt.
type attempt struct {
	state.Claim
	user        *process.User           // that its program runs as
	stop        context.CancelCauseFunc // ends the attempt's context; the cause says why
	done        chan struct{}           // closed when the attempt has ended
	renewed     time.Time               // confined to the heartbeat: when the last successful renewal was sent
	thousandths atomic.Int64            // how much of the task is done
	signs       atomic.Int64            // counts signs of progress
	// Confined to the heartbeat: signs at the last renewal that was sent, and at the last that
	// succeeded.
	signsSent, signsRenewed int64
	log                     logTail
	upload                  logUpload
}

// progressed counts a sign that the attempt makes progress, even by a single record. It may be
// called concurrently.
func (a *attempt) progressed() { a.signs.Add(1) }

// run does an attempt's work, and reports how it ended.
func (e *Executor) run(ctx context.Context, a *attempt) {
	defer e.unregister(a)
	started := time.Now()
	err := e.perform(ctx, a)
	e.metrics.attemptEnded(ctx, a, time.Since(started), err)
	e.recordOutcome(ctx, a, err)
	e.finishLog(ctx, a, err)
	log := e.cfg.Log.With("job", a.Attempt.Job, "attempt", a.Attempt.Name(), "executor", e.cfg.ID,
		"took", time.Since(started).Round(time.Millisecond))
	switch {
	case err == nil:
		log.Debug("attempt committed")
		return
	case errors.Is(err, state.ErrStale), errors.Is(context.Cause(ctx), errReassigned):
		log.Info("attempt ended, its task was reassigned or is done", "reason", err)
		return
	}
	// The attempt's own context may have ended, but its failure must be reported.
	class := classify(ctx, err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if endErr := e.endAttempt(ctx, a, err, class); endErr != nil && !errors.Is(endErr, state.ErrStale) {
		log.Error("cannot report a failed attempt, its lease will expire", "error", endErr, "failure", err)
		return
	}
	log.Warn("attempt failed", "error", err)
}

// recordOutcome tells the circuit breaker how an attempt ended, if that says whether this machine
// is at fault.
func (e *Executor) recordOutcome(ctx context.Context, a *attempt, err error) {
	if e.cfg.NoBreaker || ctx.Err() != nil || errors.Is(err, state.ErrStale) {
		return // the outcome says nothing about this machine
	}
	infra := err != nil && classify(ctx, err) == job.ClassInfra
	var segment *segmentError
	if errors.As(err, &segment) || errors.Is(err, objstore.ErrThrottled) {
		infra = false // another executor made the segment, and the store throttles all executors
	}
	avoid, claims := e.breaker.attemptEnded(a.Attempt.Job, infra)
	if avoid > 0 {
		e.cfg.Log.Error("attempts of a job failed in a row on this executor, which avoids the job for a while",
			"executor", e.cfg.ID, "pause", avoid, "attempt", a.Attempt, "error", err)
	}
	if claims > 0 {
		e.cfg.Log.Error("attempts of several jobs failed in a row on this executor, which claims no tasks for a while",
			"executor", e.cfg.ID, "pause", claims, "attempt", a.Attempt, "error", err)
	}
}

// perform makes the attempt's result and commits it. A result that is not committed is discarded.
func (e *Executor) perform(ctx context.Context, a *attempt) (err error) {
	scratch := filepath.Join(e.cfg.Scratch, "attempts", fmt.Sprintf("%s-%s-%d", a.Attempt.Job, a.Attempt.Name(), a.Attempt.Claimed))
	user := <-e.users // one for each slot
	defer func() {
		if e.cfg.Users != nil && e.cfg.Users.Count() > 1 {
			if err := user.EndAll(); err != nil {
				e.cfg.Log.Warn("ending the processes that a program left failed", "error", err)
			}
		}
		e.users <- user
	}()
	a.user = user
	room := e.diskRoom()
	defer func() {
		err = e.blameDisk(err, room, user.Usage, filepath.Join(scratch, programFolder))
		e.leftovers.clear(scratch)
	}()
	j, err := e.jobs.get(ctx, a)
	if err != nil {
		return err
	}
	defer e.jobs.put(j)
	if j.foreign() { // builtins make it only when they need it
		if err := process.PassableFolder(scratch); err != nil {
			return fmt.Errorf("make scratch folder: %w", err)
		}
	}
	env := taskEnv{executor: e, attempt: a, job: j, scratch: scratch}
	var r result
	if a.Attempt.Task.Side == job.Map {
		r, err = runMapTask(ctx, env)
	} else {
		r, err = runReduceTask(ctx, env)
	}
	if err != nil {
		return err
	}
	ref, err := objstore.Refer(ctx, e.work, j.layout.Manifest(a.Attempt), r.manifest, InlineManifest)
	if err == nil {
		e.storeLog(ctx, a) // a client that sees the commit may ask for the log
		err = e.commit(ctx, a, ref, r.counters)
	}
	if err != nil {
		err = e.undo(ctx, a, j, r, err)
	}
	if err == nil {
		e.metrics.committed(r.counters)
	}
	return err
}

// commitPause is the time between two tries to commit during an outage of Redis, in addition to the
// client's own retries.
const commitPause = time.Second

// commit commits a result. During an outage of Redis it tries again until ctx ends, as it does when
// the lease has expired: until then no other attempt repeats the work, which is done.
func (e *Executor) commit(ctx context.Context, a *attempt, manifest []byte, counters map[string]int64) error {
	for {
		err := e.cfg.Store.Commit(ctx, a.Attempt, e.cfg.ID, manifest, counters)
		if !state.IsOutage(err) || ctx.Err() != nil {
			return err
		}
		e.cfg.Log.Warn("commit failed, retrying", "job", a.Attempt.Job, "attempt", a.Attempt.Name(), "error", err)
		pause(ctx, commitPause)
	}
}

// InlineManifest is the largest size of manifests that are kept in Redis, in bytes. Larger ones are
// objects on the work store.
const InlineManifest = 256

// undo discards a result after an error of its commit. The result may be committed all the same,
// now or later: the answer may be lost, or the request may still be on its way. So undo first ends
// the attempt, after which Redis refuses the commit. If the attempt has ended already, the task's
// winner shows whether it was committed.
func (e *Executor) undo(ctx context.Context, a *attempt, j *jobContext, r result, why error) error {
	class := classify(ctx, why)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if !errors.Is(why, state.ErrStale) {
		err := e.endAttempt(ctx, a, why, class)
		if errors.Is(err, state.ErrStale) {
			var won bool
			if won, err = e.committed(ctx, a.Attempt); won {
				return nil
			}
		}
		if err != nil {
			return errors.Join(why, err) // whether it was committed is unknown: the object must stay
		}
		why = fmt.Errorf("%w: %w", state.ErrStale, why)
	}
	return errors.Join(why, r.discard(ctx), e.work.Delete(ctx, j.layout.Manifest(a.Attempt)))
}

// committed reports whether an attempt is its task's winner.
func (e *Executor) committed(ctx context.Context, id job.AttemptID) (bool, error) {
	c, ok, err := e.cfg.Store.Winner(ctx, id.Job, id.Task)
	return ok && c.Attempt == id && c.Executor == e.cfg.ID, err
}

// endAttempt reports to Redis how an attempt failed.
func (e *Executor) endAttempt(ctx context.Context, a *attempt, why error, class job.Class) error {
	failure := job.Failure{Class: class, Message: why.Error(), Log: a.log.String()}
	var user *program.UserError
	if errors.As(why, &user) {
		failure.Message, failure.Detail = user.Error(), user.Traceback
		if user.Record != nil {
			failure.Record = user.Record.String()
		}
	}
	if said(failure.Log, failure.Detail) {
		failure.Detail = "" // the log ends with it
	}
	limits := e.limits(e.jobs.peek(a.Attempt.Job, a.Born))
	if e.alone(ctx) {
		limits.Shun = -1 // no other executor would take the task
	}
	if hopeless(why) {
		limits.User = 1
	}
	var segment *segmentError
	if errors.As(why, &segment) {
		return e.cfg.Store.LoseSegment(ctx, a.Attempt, e.cfg.ID, segment.attempt, failure, limits)
	}
	return e.cfg.Store.Fail(ctx, a.Attempt, e.cfg.ID, failure, limits)
}

// alone reports whether this is the only executor, according to Redis. Attempts that ask at the
// same time send one request.
func (e *Executor) alone(ctx context.Context) bool {
	others, err, _ := e.others.Do("", func() (any, error) { return e.cfg.Store.HasOthers(ctx, e.cfg.ID) })
	return err == nil && others == false
}
