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

// Claim is an attempt that an executor has claimed.
type Claim struct {
	Attempt job.AttemptID
	Epoch   int   // the job's epoch at the time of the claim: committed maps read in an older one may be void
	Born    int64 // the job's birth: information about a job with another birth is void
}

// readyJobs is how many jobs a claim reads in one step.
const readyJobs = 8

// Claim gives an executor up to wanted ready tasks, starting with the job whose turn it is. Each
// comes with a lease: an attempt whose lease is not renewed in that time is reassigned. Claim skips
// the jobs to avoid. It returns no claims if no task is ready. If its reply is lost, the claimed
// tasks are reassigned like those of a dead executor.
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
		// The tasks already claimed are ours: return them; the next call meets the error again.
		place, more = place+passed, left && err == nil
	}
	return claims, nil
}

// claimStep claims tasks of the jobs at a place of the ready set. Passed is how many of these jobs
// stay there; more says that others follow them.
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
			passed++ // its remaining tasks are for others
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

// decodeClaims decodes the reply of claim.lua.
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

// Beat is the part of a heartbeat that is about one attempt.
type Beat struct {
	Attempt    job.AttemptID
	Progress   int  // in thousandths
	Progressed bool // since the last renewal
}

// Renew extends the leases of all attempts that an executor runs and reports their progress, in one
// round trip. It returns the attempts that no longer belong to the executor, which must stop, and
// of the others those whose logs somebody is following.
func (s *Store) Renew(ctx context.Context, executor job.ExecutorID, lease time.Duration, beats []Beat) (lost, read []job.AttemptID, err error) {
	byJob := map[job.ID][]Beat{}
	for _, b := range beats {
		byJob[b.Attempt.Job] = append(byJob[b.Attempt.Job], b)
	}
	lost, read, err = s.renew(ctx, executor, lease, byJob)
	if redis.HasErrorPrefix(err, "NOSCRIPT") { // Redis has restarted: a pipeline does not load scripts by itself
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
				args = append(args, b.Attempt.Name(), b.Attempt.Claimed, b.Progress, b.Progressed)
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

// decodeRenewed decodes the reply of renew.lua: which attempts are lost, and whose logs are
// followed.
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

// Commit makes an attempt the winner of its task. Manifest describes its output. The counters are
// added to the job's once per task: if a task is done again because its segment was lost, its
// counters are not added again. skipped_records is kept per task, and the job's is the sum; an
// attempt that would push the sum over the limit of the job's spec fails the job. Commit fails with
// ErrStale if the attempt is not the executor's to commit; its output must then be discarded.
// Committing an attempt again succeeds, so a commit whose reply was lost may be repeated.
func (s *Store) Commit(ctx context.Context, a job.AttemptID, executor job.ExecutorID, manifest []byte, counters map[string]int64) error {
	args := append(attemptArgs(a), string(executor), a.Claimed, manifest)
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		args = append(args, name, counters[name])
	}
	return s.endAttempt(ctx, "commit", commitScript, a, args)
}

// Fail ends an attempt without a result and makes its task ready again, or fails the job if the
// limit for that class of failure is reached. It fails with ErrStale like Commit.
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
	return s.endAttempt(ctx, "fail", failScript, a, args)
}

// share returns a part of d that differs between attempts: attempts that failed together should not
// return together.
func share(d time.Duration, a job.AttemptID) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(a.String())) // a hash never fails to write
	return time.Duration(h.Sum64() % uint64(d+1))
}

// LoseSegment ends a reduce attempt that found the segment of a committed map attempt missing or
// corrupt, and has the map task done again. It fails with ErrStale like Commit.
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
	return s.endAttempt(ctx, "lose segment for", loseScript, a, []any{
		a.Name(), a.Task.Index, a.Number, string(executor), a.Claimed,
		segment.Task.Index, segment.Number, segment.Claimed, text, limits.Segment,
	})
}

// Backup has another executor start a second attempt at a's task. The first of the two to commit
// wins; the executor of the other is told to stop it. Backup does nothing if the task already has a
// second attempt, and fails with ErrStale if a is not running.
func (s *Store) Backup(ctx context.Context, a job.AttemptID) error {
	return s.endAttempt(ctx, "back up", backupScript, a, append(attemptArgs(a), a.Claimed))
}

func attemptArgs(a job.AttemptID) []any {
	return []any{a.Name(), string(rune(a.Task.Side)), a.Task.Index, a.Number}
}

// endAttempt runs a script that ends an attempt or adds one beside it, whose reply is {'ok', phase
// after it} or {'stale'}, followed by 'cleanup' if this ended the job. It lets others know the
// consequences.
func (s *Store) endAttempt(ctx context.Context, what string, script *script, a job.AttemptID, args []any) error {
	v, err := script.call(ctx, s.rdb, s.jobKeys(a.Job), args...)
	var did ended
	if err == nil {
		did, err = decodeEnded(script, v)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, a, err)
	}
	if did.rivals > 0 {
		s.sendNews(ctx, a.Job) // they have lost
	}
	if did.phase != "" {
		s.hint(ctx, a, did.phase, !did.stale && script == commitScript)
	}
	if did.stale {
		return fmt.Errorf("%s %s: %w", what, a, ErrStale)
	}
	return nil
}

// ended is the result of a script that ends an attempt or adds one beside it.
type ended struct {
	stale  bool
	phase  job.Phase // after the script; "" if the attempt was stale and nothing changed
	rivals int       // other attempts that the script ended
}

// decodeEnded decodes the reply of such a script.
func decodeEnded(script *script, v any) (ended, error) {
	r := script.replyOf(v)
	did := ended{stale: r.status("ok", "stale") == "stale"}
	commits := script == commitScript
	if !did.stale || commits && r.more() {
		did.phase = r.phase()
	}
	if !did.stale && commits {
		did.rivals = int(r.integer("the number of rivals", 0))
	}
	return did, r.done()
}

// hint lets others know what the end of an attempt means for them. It drops errors: the transition
// stands in any case, and the next sweep makes up for a lost hint.
func (s *Store) hint(ctx context.Context, a job.AttemptID, phase job.Phase, committed bool) {
	switch phase {
	case job.PhaseCleanup:
		s.sendNews(ctx, a.Job)
		_ = s.callController(ctx, a.Job)
	case job.PhasePublish:
		_ = s.callController(ctx, a.Job)
	case job.PhaseMap, job.PhaseReduce:
		if !committed || (phase == job.PhaseReduce && a.Task.Side == job.Map) {
			_ = s.announce(ctx, a.Job, maxTokens)
		}
	}
}
