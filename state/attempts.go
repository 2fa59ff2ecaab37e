package state

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// Claim is an attempt that was given to an executor.
type Claim struct {
	Attempt job.AttemptID
	Epoch   int   // the job's epoch at that moment: committed maps read in an older one may be void
	Born    int64 // the job's: what is known of one that was born at another time is void
}

// readyJobs is how many jobs a claim looks at in one step.
const readyJobs = 8

// Claim gives an executor up to wanted ready tasks, from the job whose turn it is first.
// Each comes with a lease: unless it is renewed within that time the attempt is given
// away. Jobs to avoid are passed over. It returns none when none is ready. Claims whose reply was lost are given away like
// those of an executor that died.
func (s *Store) Claim(ctx context.Context, executor job.ExecutorID, wanted int, lease time.Duration, avoid ...job.ID) ([]Claim, error) {
	if !executor.Valid() || lease < time.Millisecond {
		return nil, fmt.Errorf("claim for %q with a lease of %v: %w", executor, lease, ErrInvalid)
	}
	var claims []Claim
	for place, more := 0, true; more && len(claims) < wanted; {
		got, passed, left, err := s.claimStep(ctx, executor, place, wanted-len(claims), lease, avoid)
		claims = append(claims, got...)
		if err != nil && len(claims) == 0 {
			return nil, err
		}
		// What was claimed is ours: hand it out, an error will come again.
		place, more = place+passed, left && err == nil
	}
	return claims, nil
}

// claimStep claims from the jobs at a place of the ready set. Passed is how many of these stay
// there, and more says that there are others behind them.
func (s *Store) claimStep(ctx context.Context, executor job.ExecutorID, place, wanted int, lease time.Duration, avoid []job.ID) (claims []Claim, passed int, more bool, err error) {
	jobs, err := s.rdb.ZRangeWithScores(ctx, s.readyKey(), int64(place), int64(place)+readyJobs-1).Result()
	if err != nil {
		return nil, 0, false, fmt.Errorf("look for ready jobs: %w", err)
	}
	for _, z := range jobs {
		if len(claims) == wanted {
			break
		}
		id := job.ID(fmt.Sprint(z.Member))
		if slices.Contains(avoid, id) {
			passed++
			continue
		}
		got, left, err := s.claimFrom(ctx, id, executor, wanted-len(claims), lease)
		claims = append(claims, got...)
		switch {
		case err != nil:
		case left == 0:
			err = s.unready(ctx, id)
		case len(got) > 0:
			err = s.served(ctx, z, place == 0 && len(jobs) == 1)
		default:
			passed++ // what is left there is for others
		}
		if err != nil {
			return claims, passed, false, err
		}
	}
	return claims, passed, len(jobs) == readyJobs, nil
}

func (s *Store) claimFrom(ctx context.Context, id job.ID, executor job.ExecutorID, wanted int, lease time.Duration) (claims []Claim, left int, err error) {
	v, err := claimScript.call(ctx, s.rdb, s.jobKeys(id), string(executor), wanted, lease.Milliseconds())
	if err == nil {
		claims, left, err = decodeClaims(id, v)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("claim tasks of %s: %w", id, err)
	}
	return claims, left, nil
}

// decodeClaims reads what claim.lua answers.
func decodeClaims(id job.ID, v any) (claims []Claim, left int, err error) {
	r := claimScript.replyOf(v)
	if r.status("ok", "none", "gone") != "ok" {
		return nil, 0, r.done()
	}
	side := r.side()
	epoch := int(r.number("the epoch", 1))
	left = int(r.integer("the number of tasks that are ready", 0))
	claimed, born := r.number("the time of the claim", 1), r.number("the birth", 1)
	for r.more() {
		task := job.TaskID{Side: side, Index: int(r.number("an index", 0))}
		claims = append(claims, Claim{
			Attempt: job.AttemptID{Job: id, Task: task, Number: int(r.number("an attempt's number", 1)), Claimed: claimed},
			Epoch:   epoch,
			Born:    born,
		})
	}
	if err := r.done(); err != nil {
		return nil, 0, err
	}
	return claims, left, nil
}

// Beat is one attempt's part of a heartbeat.
type Beat struct {
	Attempt  job.AttemptID
	Progress int  // in thousandths
	Moved    bool // it has got on since the last renewal
}

// Renew extends the leases of all attempts that an executor runs, in one round trip, and
// reports their progress. It returns those that are not the executor's any more, which must
// stop, and those of the others whose logs somebody reads as they grow.
func (s *Store) Renew(ctx context.Context, executor job.ExecutorID, lease time.Duration, beats []Beat) (lost, read []job.AttemptID, err error) {
	byJob := map[job.ID][]Beat{}
	for _, b := range beats {
		byJob[b.Attempt.Job] = append(byJob[b.Attempt.Job], b)
	}
	lost, read, err = s.renew(ctx, executor, lease, byJob)
	if redis.HasErrorPrefix(err, "NOSCRIPT") { // Redis restarted: a pipeline doesn't load scripts by itself
		if err := renewScript.Load(ctx, s.rdb).Err(); err != nil {
			return nil, nil, fmt.Errorf("load the renew script: %w", err)
		}
		lost, read, err = s.renew(ctx, executor, lease, byJob)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("renew %d leases: %w", len(beats), err)
	}
	return lost, read, nil
}

func (s *Store) renew(ctx context.Context, executor job.ExecutorID, lease time.Duration, byJob map[job.ID][]Beat) (lost, read []job.AttemptID, err error) {
	replies := make(map[job.ID]*redis.Cmd, len(byJob))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, id := range slices.Sorted(maps.Keys(byJob)) {
			beats := byJob[id]
			args := make([]any, 0, 2+4*len(beats))
			args = append(args, string(executor), lease.Milliseconds())
			for _, b := range beats {
				args = append(args, b.Attempt.Name(), b.Attempt.Claimed, b.Progress, b.Moved)
			}
			replies[id] = renewScript.EvalSha(ctx, p, s.jobKeys(id), args...)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for id, beats := range byJob {
		gone, wanted, err := decodeRenewed(replies[id].Val(), beats)
		if err != nil {
			return nil, nil, err
		}
		lost, read = append(lost, gone...), append(read, wanted...)
	}
	return lost, read, nil
}

// decodeRenewed reads what renew.lua answers: which of the attempts are lost, and whose logs are read.
func decodeRenewed(v any, beats []Beat) (lost, read []job.AttemptID, err error) {
	r := renewScript.replyOf(v)
	for _, b := range beats {
		switch n := r.integer("whether an attempt is held", 0); n {
		case 0:
			lost = append(lost, b.Attempt)
		case 1:
		case 2:
			read = append(read, b.Attempt)
		default:
			r.fail("whether an attempt is held is %d: must be 0, 1 or 2", n)
		}
	}
	if err := r.done(); err != nil {
		return nil, nil, err
	}
	return lost, read, nil
}

// Commit makes an attempt the winner of its task. Manifest describes its output; the
// counters are added to the job's, once for each task: those of a task that is done again
// because its segment was lost are not added again. Skipped of the task is its own, and the job's is their
// sum: an attempt that takes that over the limit of its spec ends the job as Failed. It fails with ErrStale when the attempt is not the
// executor's to commit: its output must then be thrown away. Committing again what this
// attempt committed succeeds, so a commit whose answer was lost may be repeated.
func (s *Store) Commit(ctx context.Context, a job.AttemptID, executor job.ExecutorID, manifest []byte, counters map[string]int64) error {
	args := append(attemptArgs(a), string(executor), a.Claimed, manifest)
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		args = append(args, name, counters[name])
	}
	return s.settle(ctx, "commit", commitScript, a, args)
}

// Fail ends an attempt that came to nothing and puts its task back, or fails the job when the
// limit for that class of failure is reached. It fails with ErrStale as Commit does.
func (s *Store) Fail(ctx context.Context, a job.AttemptID, executor job.ExecutorID, why job.Failure, limits Limits) error {
	limits = limits.Or(DefaultLimits)
	why.Attempt, why.Executor = a.Name(), executor
	text, err := why.Encode()
	if err != nil {
		return err
	}
	var wait time.Duration
	if why.Class == job.ClassInfra {
		most := limits.Backoff << min(a.Number-1, 6)
		wait = most/2 + share(most/2, a)
	}
	args := append(attemptArgs(a), string(executor), a.Claimed, string(why.Class), text,
		limits.of(why.Class), wait.Milliseconds(), limits.Shun.Milliseconds())
	return s.settle(ctx, "fail", failScript, a, args)
}

// share is a part of d, another for each attempt: those that failed together should not return
// together.
func share(d time.Duration, a job.AttemptID) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(a.String())) // a hash takes every write
	return time.Duration(h.Sum64() % uint64(d+1))
}

// LoseSegment ends a reduce attempt that found a committed map attempt's segment missing or
// corrupt, and has that map task done again. It fails with ErrStale as Commit does.
func (s *Store) LoseSegment(ctx context.Context, a job.AttemptID, executor job.ExecutorID, segment job.AttemptID, why job.Failure, limits Limits) error {
	if a.Task.Side != job.Reduce || segment.Task.Side != job.Map {
		return fmt.Errorf("lose segment of %s for %s: %w", segment, a, ErrIllegal)
	}
	limits = limits.Or(DefaultLimits)
	why.Attempt, why.Executor, why.Class = segment.Name(), executor, job.ClassSegment
	text, err := why.Encode()
	if err != nil {
		return err
	}
	return s.settle(ctx, "lose segment for", loseScript, a, []any{
		a.Name(), a.Task.Index, a.Number, string(executor), a.Claimed,
		segment.Task.Index, segment.Number, segment.Claimed, text, limits.Segment,
	})
}

// Backup has a second attempt at a's task started beside it, by another executor. The first
// of them to commit wins, the other is told so. It does nothing when the task has a second
// attempt already, and fails with ErrStale when a does not run.
func (s *Store) Backup(ctx context.Context, a job.AttemptID) error {
	return s.settle(ctx, "back up", backupScript, a, append(attemptArgs(a), a.Claimed))
}

func attemptArgs(a job.AttemptID) []any {
	return []any{a.Name(), string(rune(a.Task.Side)), a.Task.Index, a.Number}
}

// settle runs a script that ends or doubles an attempt and answers {'ok', phase after it} or
// {'stale'}, followed by 'cleanup' if that ended the job, and passes on what that means for others.
func (s *Store) settle(ctx context.Context, what string, script *script, a job.AttemptID, args []any) error {
	v, err := script.call(ctx, s.rdb, s.jobKeys(a.Job), args...)
	var did settled
	if err == nil {
		did, err = decodeSettled(script, v)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, a, err)
	}
	if did.rivals > 0 {
		s.tell(ctx, a.Job) // they have lost
	}
	if did.phase != "" {
		s.hint(ctx, a, did.phase, !did.stale && script == commitScript)
	}
	if did.stale {
		return fmt.Errorf("%s %s: %w", what, a, ErrStale)
	}
	return nil
}

// settled is what a script has done that ends or doubles an attempt.
type settled struct {
	stale  bool
	phase  job.Phase // after it; "" of what was stale and has changed nothing
	rivals int       // other attempts that it ended
}

// decodeSettled reads what such a script answers.
func decodeSettled(script *script, v any) (settled, error) {
	r := script.replyOf(v)
	did := settled{stale: r.status("ok", "stale") == "stale"}
	commits := script == commitScript
	if !did.stale || commits && r.more() {
		did.phase = r.phase()
	}
	if !did.stale && commits {
		did.rivals = int(r.integer("the number of rivals", 0))
	}
	return did, r.done()
}

// hint passes on what a settled attempt means for others. Its errors are dropped: the
// attempt is settled whatever becomes of them, and the next sweep makes up for a lost hint.
func (s *Store) hint(ctx context.Context, a job.AttemptID, phase job.Phase, committed bool) {
	switch phase {
	case job.PhaseCleanup:
		s.tell(ctx, a.Job)
		_ = s.callController(ctx, a.Job)
	case job.PhasePublish:
		_ = s.callController(ctx, a.Job)
	case job.PhaseMap, job.PhaseReduce:
		if !committed || (phase == job.PhaseReduce && a.Task.Side == job.Map) {
			_ = s.announce(ctx, a.Job, maxTokens)
		}
	}
}
