package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// Submit creates a job in phase plan. Submitting the same id and spec again succeeds and changes
// nothing; with another spec it fails with ErrExists. Created reports whether this call created the
// job: of several calls for one job at the same time, at most one returns true (none, if a reply
// was lost). An error that wraps ErrNotSubmitted is certain that this call has created no job and
// will create none; after any other error except ErrExists and ErrInvalid there may be one.
func (s *Store) Submit(ctx context.Context, id job.ID, name string, priority int, spec []byte) (created bool, err error) {
	return s.SubmitFor(ctx, "", id, name, priority, spec)
}

// SubmitFor is Submit that also records who submits the job.
func (s *Store) SubmitFor(ctx context.Context, by string, id job.ID, name string, priority int, spec []byte) (created bool, err error) {
	return s.submit(ctx, by, id, name, priority, spec, "")
}

// Restore is SubmitFor for a job that Redis has lost. The job keeps the time of its submission.
func (s *Store) Restore(ctx context.Context, by string, id job.ID, name string, priority int, spec []byte, submitted time.Time) error {
	// It is 0 if the record does not say.
	_, err := s.submit(ctx, by, id, name, priority, spec, strconv.FormatInt(max(submitted.UnixMilli(), 0), 10))
	if err != nil || by == "" {
		return err
	}
	_, err = s.Admit(ctx, by, id, math.MaxInt) // Redis has lost that it was admitted
	return err
}

func (s *Store) submit(ctx context.Context, by string, id job.ID, name string, priority int, spec []byte, restored string) (created bool, err error) {
	if !id.Valid() || !job.ValidPriority(priority) {
		return false, fmt.Errorf("submit %q with priority %d: %w", id, priority, ErrInvalid)
	}
	known, err := s.Known(ctx, id)
	if err != nil {
		return false, fmt.Errorf("submit %s: %w: %w", id, ErrNotSubmitted, err)
	}
	if !known {
		// First: an id without a job is swept away, but a job without an id would be lost.
		if err := s.activate(ctx, id); err != nil {
			return false, fmt.Errorf("%w: %w", ErrNotSubmitted, err)
		}
	}
	program, output := headline(spec)
	v, err := submitScript.call(ctx, s.rdb, s.jobKeys(id), spec, name, priority, restored, by, program, output)
	var phase job.Phase
	if err == nil {
		phase, created, err = decodeSubmitted(v)
	}
	if err != nil {
		return false, fmt.Errorf("submit %s: %w", id, s.perhapsSubmitted(ctx, id, err))
	}
	if phase == job.PhaseEnded {
		return created, nil
	}
	// Again: a sweep may have removed the id before the job existed.
	if err := s.activate(ctx, id); err != nil {
		if listed, _ := s.rdb.SIsMember(ctx, s.activeKey(), string(id)).Result(); !listed {
			return created, err
		}
	}
	_ = s.callController(ctx, id) // a hint: the job is found without it, and its failure must not look like a refusal
	return created, nil
}

// perhapsSubmitted adds to the error of a submission's script that there is no job, if that is
// certain: Redis has refused the script, and reports no job.
func (s *Store) perhapsSubmitted(ctx context.Context, id job.ID, err error) error {
	var refusal redis.Error
	if !errors.As(err, &refusal) {
		return err // no answer
	}
	if known, knownErr := s.Known(ctx, id); knownErr != nil || known {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotSubmitted, err)
}

// decodeSubmitted decodes the reply of submit.lua.
func decodeSubmitted(v any) (phase job.Phase, created bool, err error) {
	r := submitScript.replyOf(v)
	if r.status("ok", "exists") == "ok" {
		phase, created = r.phase(), r.yes("whether the job was created")
	} else {
		err = ErrExists
	}
	if malformed := r.done(); malformed != nil {
		return "", false, malformed
	}
	return phase, created, err
}

// Outline is what planning has found out about a job.
type Outline struct {
	Maps    int    // map tasks, at least 1
	Reduces int    // reduce tasks
	Plan    string // for every executor that works on the job
	Stage   Stage  // the stage of the planning: a job that was lost and restored since is not started
	// TaskTimeout is how long an attempt may make no progress; 0: no limit.
	TaskTimeout time.Duration
	// MaxAttempts is how often a task may fail because of its program; 0: Limits.User.
	MaxAttempts int
}

// Start ends planning and makes the job's tasks claimable. It fails with ErrIllegal in any phase
// except plan, or in another stage.
func (s *Store) Start(ctx context.Context, id job.ID, o Outline) error {
	if o.Maps <= 0 || o.Reduces < 0 {
		return fmt.Errorf("start %s: %d map and %d reduce tasks: %w", id, o.Maps, o.Reduces, ErrIllegal)
	}
	if err := s.transition(ctx, "start", startScript, id, o.Maps, o.Reduces, o.Plan, int64(o.Stage), o.TaskTimeout.Milliseconds(), o.MaxAttempts); err != nil {
		return err
	}
	return s.announce(ctx, id, o.Maps)
}

// Stop ends a job early, in that stage, as Failed or Cancelled. Executors are told at once, and
// find out at their next renewal in any case. It fails with ErrIllegal if the job's outcome is
// final already, or in another stage.
func (s *Store) Stop(ctx context.Context, id job.ID, stage Stage, state job.State, why job.Failure) error {
	if state != job.Failed && state != job.Cancelled {
		return fmt.Errorf("stop %s as %s: %w", id, state, ErrIllegal)
	}
	text, err := why.Encode()
	if err != nil {
		return err
	}
	if err := s.transition(ctx, "stop", stopScript, id, string(state), text, int64(stage)); err != nil {
		return err
	}
	s.sendNews(ctx, id)
	return s.callController(ctx, id)
}

// Finish ends a job as Completed that was published in that stage. It fails with ErrIllegal in
// another stage.
func (s *Store) Finish(ctx context.Context, id job.ID, stage Stage) error {
	return s.transition(ctx, "finish", finishScript, id, int64(stage))
}

// FinishFound ends a job as Completed whose output was found to be complete and in place in that
// stage, with these counters, which must not be empty: a job in phase plan, or a failed or
// cancelled one in phase cleanup that, as far as Redis knows, was never published.
func (s *Store) FinishFound(ctx context.Context, id job.ID, stage Stage, counters map[string]int64) error {
	args := []any{int64(stage)}
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		args = append(args, name, counters[name])
	}
	return s.transition(ctx, "finish", finishScript, id, args...)
}

// Lost is a committed attempt that has lost something that its job's publication needs, and the
// reason.
type Lost struct {
	Attempt job.AttemptID
	Why     string
}

// redoAtOnce is how many attempts one script takes back. The next publication finds the rest.
const redoAtOnce = 100

// Redo has the tasks done again whose committed attempts were found, in that stage of publication,
// to lack what it needs. The job fails if a task has lost that too often. Redo fails with
// ErrIllegal in another stage or phase.
func (s *Store) Redo(ctx context.Context, id job.ID, stage Stage, lost []Lost, limits Limits) error {
	if len(lost) == 0 {
		return fmt.Errorf("redo %s: no tasks: %w", id, ErrInvalid)
	}
	args := []any{int64(stage), limits.Or(DefaultLimits).Segment}
	for _, l := range lost[:min(len(lost), redoAtOnce)] {
		text, err := job.Failure{Attempt: l.Attempt.Name(), Class: job.ClassSegment, Message: l.Why}.Encode()
		if err != nil {
			return err
		}
		args = append(args, string(rune(l.Attempt.Task.Side)), l.Attempt.Task.Index, l.Attempt.Number, l.Attempt.Claimed, text)
	}
	if err := s.transition(ctx, "redo tasks of", redoScript, id, args...); err != nil {
		return err
	}
	return s.announce(ctx, id, maxTokens)
}

// Keep moves a failed job, whose output was cleaned up in that stage, to phase kept for a time, so
// that it may be retried. It fails with ErrIllegal if the job did not fail, was never started or
// was kept before, or in another stage.
func (s *Store) Keep(ctx context.Context, id job.ID, stage Stage, keep time.Duration) error {
	return s.transition(ctx, "keep", keepScript, id, keep.Milliseconds(), int64(stage))
}

// Discard ends the keeping of a job that is kept in that stage: it is cleaned up for good.
func (s *Store) Discard(ctx context.Context, id job.ID, stage Stage) error {
	return s.transition(ctx, "discard", discardScript, id, int64(stage))
}

// Retry starts a job again that is kept in that stage, with its uncommitted tasks.
func (s *Store) Retry(ctx context.Context, id job.ID, stage Stage) error {
	if err := s.transition(ctx, "retry", retryScript, id, int64(stage)); err != nil {
		return err
	}
	if err := s.announce(ctx, id, maxTokens); err != nil {
		return err
	}
	return s.callController(ctx, id)
}

// NoteWebhookFailed is the kind of event that reports a webhook that could not be reached.
const NoteWebhookFailed = "webhook failed"

// Note adds a failure that does not change the outcome to the events of a job in phase cleanup, as
// an event of that kind. It fails with ErrIllegal in any other phase.
func (s *Store) Note(ctx context.Context, id job.ID, kind string, why job.Failure) error {
	text, err := why.Encode()
	if err != nil {
		return err
	}
	return s.transition(ctx, "note", noteScript, id, kind, text)
}

// Forget ends the clean-up of a job in that stage: everything except the job's history is removed
// now, and the history after keep (0: now). It fails with ErrIllegal if the job's outcome has
// changed since, because a failover had sent it back.
func (s *Store) Forget(ctx context.Context, id job.ID, stage Stage, keep time.Duration) error {
	if err := s.transition(ctx, "forget", forgetScript, id, keep.Milliseconds(), int64(stage)); err != nil {
		return err
	}
	return s.deactivate(ctx, id)
}

// Erase removes the history of an ended job early. It fails with ErrIllegal for a job in another
// phase. A caller that dies halfway leaves an id without a job in the history, which Expired finds.
func (s *Store) Erase(ctx context.Context, id job.ID) error {
	if err := s.transition(ctx, "erase", eraseScript, id); err != nil {
		return err
	}
	return s.Unlist(ctx, id)
}

// transition runs a script whose reply is {'ok'}, {'gone'} or {'illegal', phase}. The reply of
// Redo's is {'ok', phase after it}.
func (s *Store) transition(ctx context.Context, what string, script *script, id job.ID, args ...any) error {
	v, err := script.call(ctx, s.rdb, s.jobKeys(id), args...)
	if err == nil {
		err = decodeTransition(script, v)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, id, err)
	}
	return nil
}

// decodeTransition decodes the reply of such a script.
func decodeTransition(script *script, v any) (err error) {
	r := script.replyOf(v)
	switch r.status("ok", "gone", "illegal") {
	case "ok":
		if script == redoScript {
			r.phase()
		}
	case "gone":
		err = ErrNoJob
	case "illegal":
		err = illegalError(r.phase())
	}
	return cmp.Or(r.done(), err)
}

// illegalError is an ErrIllegal that names the job's phase.
type illegalError job.Phase

func (e illegalError) Error() string {
	return fmt.Sprintf("%v: it is in phase %s", ErrIllegal, string(e))
}
func (illegalError) Unwrap() error { return ErrIllegal }
