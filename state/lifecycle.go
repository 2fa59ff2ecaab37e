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

// Submit creates a job in phase plan. Submitting the same id and spec again succeeds and
// changes nothing; with another spec it fails with ErrExists. Created tells whether it was this call that
// made the job: of several at once for one job, at most one hears so (none, if an answer was lost). An error
// that wraps ErrNotSubmitted says for certain that this call has made no job and will make none; after any
// other but ErrExists and ErrInvalid there may be one.
func (s *Store) Submit(ctx context.Context, id job.ID, name string, priority int, spec []byte) (created bool, err error) {
	return s.SubmitFor(ctx, "", id, name, priority, spec)
}

// SubmitFor is Submit that also notes who submits the job.
func (s *Store) SubmitFor(ctx context.Context, by string, id job.ID, name string, priority int, spec []byte) (created bool, err error) {
	return s.submit(ctx, by, id, name, priority, spec, "")
}

// Restore is SubmitFor for a job that Redis has lost. It keeps the time at which it was submitted.
func (s *Store) Restore(ctx context.Context, by string, id job.ID, name string, priority int, spec []byte, submitted time.Time) error {
	// 0 of a record that does not say when that was.
	_, err := s.submit(ctx, by, id, name, priority, spec, strconv.FormatInt(max(submitted.UnixMilli(), 0), 10))
	if err != nil || by == "" {
		return err
	}
	_, err = s.Admit(ctx, by, id, math.MaxInt) // Redis has lost that it was
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
		// First: an id without a job is swept away, a job without an id would be lost.
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
	// Again: it may have been swept away before there was a job.
	if err := s.activate(ctx, id); err != nil {
		if listed, _ := s.rdb.SIsMember(ctx, s.activeKey(), string(id)).Result(); !listed {
			return created, err
		}
	}
	_ = s.callController(ctx, id) // a hint: the job is found without it, and must not be called refused
	return created, nil
}

// perhapsSubmitted adds to the error of a submission's script that there is no job, if that is certain: Redis
// has refused the script, and says that there is none.
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

// decodeSubmitted reads what submit.lua answers.
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
	Plan    string // handed to every executor that works for the job
	Stage   Stage  // that was planned in: a job that was lost and restored meanwhile is not started
	// TaskTimeout is how long an attempt may make no progress; 0: for ever.
	TaskTimeout time.Duration
	// MaxAttempts is how often a task may fail by its program's fault; 0: as Limits.User says.
	MaxAttempts int
}

// Start ends planning: the job's tasks may be claimed from now on. It fails with ErrIllegal in
// any phase but plan, or another stage.
func (s *Store) Start(ctx context.Context, id job.ID, o Outline) error {
	if o.Maps <= 0 || o.Reduces < 0 {
		return fmt.Errorf("start %s: %d map and %d reduce tasks: %w", id, o.Maps, o.Reduces, ErrIllegal)
	}
	if err := s.transition(ctx, "start", startScript, id, o.Maps, o.Reduces, o.Plan, int64(o.Stage), o.TaskTimeout.Milliseconds(), o.MaxAttempts); err != nil {
		return err
	}
	return s.announce(ctx, id, o.Maps)
}

// Stop ends a job before its time, in that stage, as Failed or Cancelled. Executors are told at once, and find
// out at their next renewal in any case. It fails with ErrIllegal when the job's outcome is settled already, or
// it is in another stage.
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
	s.tell(ctx, id)
	return s.callController(ctx, id)
}

// Finish settles a job as Completed that was published in that stage. It fails with ErrIllegal in another.
func (s *Store) Finish(ctx context.Context, id job.ID, stage Stage) error {
	return s.transition(ctx, "finish", finishScript, id, int64(stage))
}

// FinishFound settles a job as Completed whose output was found to be whole and in place in that stage, with
// these counters, of which there must be some: one in phase plan, or a failed or cancelled one in phase
// cleanup that, as far as Redis knows, never came to be published.
func (s *Store) FinishFound(ctx context.Context, id job.ID, stage Stage, counters map[string]int64) error {
	args := []any{int64(stage)}
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		args = append(args, name, counters[name])
	}
	return s.transition(ctx, "finish", finishScript, id, args...)
}

// Lost is a committed attempt of which something is lost that its job's publication needs, and why.
type Lost struct {
	Attempt job.AttemptID
	Why     string
}

// redoAtOnce is how many attempts one script takes back. Those that are left are found at the next publication.
const redoAtOnce = 100

// Redo has the tasks done again whose committed attempts were found, in that stage of publication, to lack
// what it needs. The job fails where a task has lost that too often. Redo fails with ErrIllegal in another
// stage or phase.
func (s *Store) Redo(ctx context.Context, id job.ID, stage Stage, lost []Lost, limits Limits) error {
	if len(lost) == 0 {
		return fmt.Errorf("redo no task of %s: %w", id, ErrInvalid)
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

// Keep sets a failed job aside for a time whose output was cleaned up in that stage, in phase kept, so that it
// may be retried. It fails with ErrIllegal for a job that did not fail, was never started, was kept before, or
// is in another stage.
func (s *Store) Keep(ctx context.Context, id job.ID, stage Stage, keep time.Duration) error {
	return s.transition(ctx, "keep", keepScript, id, keep.Milliseconds(), int64(stage))
}

// Discard gives up a job that is kept in that stage: it is cleaned up for good.
func (s *Store) Discard(ctx context.Context, id job.ID, stage Stage) error {
	return s.transition(ctx, "discard", discardScript, id, int64(stage))
}

// Retry starts a job again that is kept in that stage, with the tasks that were not committed.
func (s *Store) Retry(ctx context.Context, id job.ID, stage Stage) error {
	if err := s.transition(ctx, "retry", retryScript, id, int64(stage)); err != nil {
		return err
	}
	if err := s.announce(ctx, id, maxTokens); err != nil {
		return err
	}
	return s.callController(ctx, id)
}

// NoteWebhookFailed is the kind of the event that tells of a webhook that could not be reached.
const NoteWebhookFailed = "webhook failed"

// Note adds a failure that does not change the outcome to the events of a job in phase
// cleanup, as one of that kind. It fails with ErrIllegal in any other phase.
func (s *Store) Note(ctx context.Context, id job.ID, kind string, why job.Failure) error {
	text, err := why.Encode()
	if err != nil {
		return err
	}
	return s.transition(ctx, "note", noteScript, id, kind, text)
}

// Forget ends the clean-up after a job in that stage: all but the job's history goes now, and that after
// keep (0: now). It fails with ErrIllegal for a job that was settled in another way since, as a failover had
// sent it back.
func (s *Store) Forget(ctx context.Context, id job.ID, stage Stage, keep time.Duration) error {
	if err := s.transition(ctx, "forget", forgetScript, id, keep.Milliseconds(), int64(stage)); err != nil {
		return err
	}
	return s.deactivate(ctx, id)
}

// Erase removes what is remembered of a job that has ended, before its time. It fails with ErrIllegal for a job
// in another phase. A caller that dies in the middle leaves an id in the history without a job, which Expired finds.
func (s *Store) Erase(ctx context.Context, id job.ID) error {
	if err := s.transition(ctx, "erase", eraseScript, id); err != nil {
		return err
	}
	return s.Unlist(ctx, id)
}

// transition runs a script that answers {'ok'}, {'gone'} or {'illegal', phase}. That of Redo answers
// {'ok', phase after it}.
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

// decodeTransition reads what such a script answers.
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

// illegalError is an ErrIllegal that names the phase in which the job is.
type illegalError job.Phase

func (e illegalError) Error() string {
	return fmt.Sprintf("%v: it is in phase %s", ErrIllegal, string(e))
}
func (illegalError) Unwrap() error { return ErrIllegal }
