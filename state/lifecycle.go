package state

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Submit creates a job in phase plan. Submitting the same id and spec again succeeds and
// changes nothing; with another spec it fails with ErrExists.
func (s *Store) Submit(ctx context.Context, id JobID, name string, priority int, spec []byte) error {
	if !id.Valid() || !ValidPriority(priority) {
		return fmt.Errorf("submit %q with priority %d: %w", id, priority, ErrInvalid)
	}
	known, err := s.rdb.Exists(ctx, s.jobKey(id)).Result()
	if err != nil {
		return fmt.Errorf("submit %s: %w", id, err)
	}
	if known == 0 {
		// First: an id without a job is swept away, a job without an id would be lost.
		if err := s.activate(ctx, id); err != nil {
			return err
		}
	}
	reply, err := submitScript.Run(ctx, s.rdb, s.jobKeys(id), spec, name, priority).StringSlice()
	if err != nil {
		return fmt.Errorf("submit %s: %w", id, err)
	}
	if reply[0] == "exists" {
		return fmt.Errorf("submit %s: %w", id, ErrExists)
	}
	if Phase(reply[1]) == PhaseEnded {
		return nil
	}
	// Again: it may have been swept away before there was a job.
	if err := s.activate(ctx, id); err != nil {
		return err
	}
	return s.callController(ctx, id)
}

// Start ends planning: maps > 0 and reduces >= 0 tasks may be claimed from now on. Plan is
// handed to every executor that works for the job. It fails with ErrIllegal in any phase
// but plan.
func (s *Store) Start(ctx context.Context, id JobID, maps, reduces int, plan string) error {
	if maps <= 0 || reduces < 0 {
		return fmt.Errorf("start %s: %d map and %d reduce tasks: %w", id, maps, reduces, ErrIllegal)
	}
	if err := s.transition(ctx, "start", startScript, id, maps, reduces, plan); err != nil {
		return err
	}
	return s.announce(ctx, id, maps)
}

// Stop ends a job before its time, as Failed or Cancelled. Its running attempts find out at
// their next renewal. It fails with ErrIllegal when the job's outcome is settled already.
func (s *Store) Stop(ctx context.Context, id JobID, state State, why Failure) error {
	if state != Failed && state != Cancelled {
		return fmt.Errorf("stop %s as %s: %w", id, state, ErrIllegal)
	}
	text, err := encode(why)
	if err != nil {
		return err
	}
	if err := s.transition(ctx, "stop", stopScript, id, string(state), text); err != nil {
		return err
	}
	return s.callController(ctx, id)
}

// Finish settles a published job as Completed.
func (s *Store) Finish(ctx context.Context, id JobID) error {
	return s.transition(ctx, "finish", finishScript, id)
}

// Keep sets a failed job aside for a time, in phase kept, so that it may be retried. It fails
// with ErrIllegal for a job that did not fail, was never started, or was kept before.
func (s *Store) Keep(ctx context.Context, id JobID, keep time.Duration) error {
	return s.transition(ctx, "keep", keepScript, id, keep.Milliseconds())
}

// Discard gives a kept job up: it is cleaned up for good.
func (s *Store) Discard(ctx context.Context, id JobID) error {
	return s.transition(ctx, "discard", discardScript, id)
}

// Retry starts a kept job again, with the tasks that were not committed.
func (s *Store) Retry(ctx context.Context, id JobID) error {
	if err := s.transition(ctx, "retry", retryScript, id); err != nil {
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
func (s *Store) Note(ctx context.Context, id JobID, kind string, why Failure) error {
	text, err := encode(why)
	if err != nil {
		return err
	}
	return s.transition(ctx, "note", noteScript, id, kind, text)
}

// Forget ends clean-up: all but the job's history goes now, and that after keep (0: now).
func (s *Store) Forget(ctx context.Context, id JobID, keep time.Duration) error {
	if err := s.transition(ctx, "forget", forgetScript, id, keep.Milliseconds()); err != nil {
		return err
	}
	return s.deactivate(ctx, id)
}

// transition runs a script that answers {'ok'}, {'gone'} or {'illegal', phase}.
func (s *Store) transition(ctx context.Context, what string, script *redis.Script, id JobID, args ...any) error {
	reply, err := script.Run(ctx, s.rdb, s.jobKeys(id), args...).StringSlice()
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, id, err)
	}
	switch reply[0] {
	case "ok":
		return nil
	case "gone":
		return fmt.Errorf("%s %s: %w", what, id, ErrNoJob)
	}
	return fmt.Errorf("%s %s in phase %s: %w", what, id, reply[1], ErrIllegal)
}
