package state

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNoJob: there is no such job (or no longer).
	ErrNoJob = errors.New("no such job")
	// ErrStale: the attempt is not, or no longer, the caller's. Whatever it did is void.
	ErrStale = errors.New("attempt was given away or has ended")
	// ErrIllegal: the job's phase does not allow the transition.
	ErrIllegal = errors.New("job is not in the phase for that")
	// ErrExists: a job of the same id but with another spec exists.
	ErrExists = errors.New("another job has that id")
	// ErrInvalid: an argument breaks the rules, whatever the state.
	ErrInvalid = errors.New("not allowed")
)

// Limits bound how often a task may fail, by class of failure, and how long it rests between.
type Limits struct {
	User    int           // attempts that fail by the program's fault, default 4
	Infra   int           // by the infrastructure's, default 20
	Lost    int           // executors that vanish while they run it, default 6
	Segment int           // times that its committed output is found missing or corrupt, default 3
	Backoff time.Duration // before the second attempt after an infrastructure failure; doubles, with jitter; default 1s
}

// DefaultLimits are used where a field is zero.
var DefaultLimits = Limits{User: 4, Infra: 20, Lost: 6, Segment: 3, Backoff: time.Second}

// Or returns l with zero fields taken from d.
func (l Limits) Or(d Limits) Limits {
	if l.User == 0 {
		l.User = d.User
	}
	if l.Infra == 0 {
		l.Infra = d.Infra
	}
	if l.Lost == 0 {
		l.Lost = d.Lost
	}
	if l.Segment == 0 {
		l.Segment = d.Segment
	}
	if l.Backoff == 0 {
		l.Backoff = d.Backoff
	}
	return l
}

func (l Limits) of(c Class) int {
	switch c {
	case ClassUser:
		return l.User
	case ClassLost:
		return l.Lost
	case ClassSegment:
		return l.Segment
	}
	return l.Infra
}

// Store is the state in one Redis (or Valkey, or Redis Cluster), under one namespace.
// It is safe for concurrent use.
type Store struct {
	rdb       redis.UniversalClient
	namespace string
	waits     sync.WaitGroup // blocking calls whose callers may have left
}

// DefaultNamespace is the prefix of all keys unless another is asked for.
const DefaultNamespace = "bm"

// New returns the state kept in rdb under namespace. The caller closes rdb.
func New(rdb redis.UniversalClient, namespace string) *Store {
	return &Store{rdb: rdb, namespace: namespace}
}

// Connect opens the Redis at a URL (redis://[user:password@]host:port/db, rediss:// for TLS,
// unix://) and asks it once. The caller closes the client, which it gets through Close.
func Connect(ctx context.Context, url, namespace string) (*Store, error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("read redis url: %w", err)
	}
	opts.MaxRetries = 5
	opts.ContextTimeoutEnabled = true
	rdb := redis.NewClient(opts)
	if err := rdb.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("reach redis at %s: %w", opts.Addr, err), rdb.Close())
	}
	return New(rdb, namespace), nil
}

// Close closes the connection to Redis and waits for calls that were left behind.
func (s *Store) Close() error {
	err := s.rdb.Close()
	s.waits.Wait()
	return err
}

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

// activate enters a job into the history and among those that have not ended.
func (s *Store) activate(ctx context.Context, id JobID) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAddNX(ctx, s.jobsKey(), redis.Z{Score: float64(time.Now().UnixMilli()), Member: string(id)})
		p.SAdd(ctx, s.activeKey(), string(id))
		return nil
	})
	if err != nil {
		return fmt.Errorf("enter %s into the lists: %w", id, err)
	}
	return nil
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

// Forget ends clean-up: all but the job's history goes now, and that after keep (0: now).
func (s *Store) Forget(ctx context.Context, id JobID, keep time.Duration) error {
	if err := s.transition(ctx, "forget", forgetScript, id, keep.Milliseconds()); err != nil {
		return err
	}
	return s.deactivate(ctx, id)
}

// deactivate takes an ended or unknown job out of the indexes of work.
func (s *Store) deactivate(ctx context.Context, id JobID) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZRem(ctx, s.readyKey(), string(id))
		p.SRem(ctx, s.activeKey(), string(id))
		return nil
	})
	if err != nil {
		return fmt.Errorf("take %s off the lists: %w", id, err)
	}
	return nil
}

// dismiss takes an id without a job off the lists. The job may come to be meanwhile: Submit
// enters it into the lists after its script, so either that comes after our removal, or we see
// the job here and enter it again.
func (s *Store) dismiss(ctx context.Context, id JobID) error {
	if err := s.deactivate(ctx, id); err != nil {
		return err
	}
	n, err := s.rdb.Exists(ctx, s.jobKey(id)).Result()
	if err != nil {
		return fmt.Errorf("look for job %s: %w", id, err)
	}
	if n == 0 {
		return nil
	}
	if err := s.activate(ctx, id); err != nil {
		return err
	}
	return s.callController(ctx, id)
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

// Swept is what a sweep did.
type Swept struct {
	Phase Phase
	Lost  int // attempts given away
	Ready int // tasks that may be claimed now
}

// Sweep gives away all running attempts of a job whose leases are gone, and announces the
// job if it has ready tasks. A job that has ended is taken off the lists of work, and so is
// the id of one that is gone, with ErrNoJob.
func (s *Store) Sweep(ctx context.Context, id JobID, limits Limits) (Swept, error) {
	swept, err := s.sweepAll(ctx, id, limits.Or(DefaultLimits))
	if errors.Is(err, ErrNoJob) {
		return Swept{}, errors.Join(err, s.dismiss(ctx, id))
	}
	if err != nil {
		return swept, err
	}
	if swept.Phase == PhaseEnded {
		return swept, s.deactivate(ctx, id)
	}
	if swept.Ready == 0 {
		return swept, nil
	}
	if known, err := s.announced(ctx, id); err != nil || known {
		return swept, err
	}
	return swept, s.announce(ctx, id, swept.Ready)
}

// sweepAll runs the sweep script page by page.
func (s *Store) sweepAll(ctx context.Context, id JobID, limits Limits) (Swept, error) {
	var swept Swept
	for cursor := "0"; ; {
		reply, err := sweepScript.Run(ctx, s.rdb, s.jobKeys(id), limits.Lost, 0, cursor).Slice()
		if err != nil {
			return swept, fmt.Errorf("sweep %s: %w", id, err)
		}
		phase, _ := reply[0].(string)
		if phase == "gone" {
			return swept, fmt.Errorf("sweep %s: %w", id, ErrNoJob)
		}
		lost, _ := reply[1].(int64)
		ready, _ := reply[2].(int64)
		swept = Swept{Phase: Phase(phase), Lost: swept.Lost + int(lost), Ready: int(ready)}
		if cursor, _ = reply[3].(string); cursor == "0" {
			return swept, nil
		}
	}
}

// Active returns the jobs that have not ended.
func (s *Store) Active(ctx context.Context) ([]JobID, error) {
	ids, err := s.rdb.SMembers(ctx, s.activeKey()).Result()
	if err != nil {
		return nil, fmt.Errorf("list active jobs: %w", err)
	}
	jobs := make([]JobID, len(ids))
	for i, id := range ids {
		jobs[i] = JobID(id)
	}
	return jobs, nil
}

// Mind makes the caller, named by token, the one controller that works on the job, until it
// leaves it or ttl is over. It is a courtesy that saves double work, not a safeguard: every
// transition is safe without it. False means that another controller minds the job.
func (s *Store) Mind(ctx context.Context, id JobID, token string, ttl time.Duration) (bool, error) {
	holder, err := s.hold(ctx, s.minderKey(id), token, ttl)
	return holder == token, err
}

// Leave ends Mind.
func (s *Store) Leave(ctx context.Context, id JobID, token string) error {
	return s.release(ctx, s.minderKey(id), token)
}

// LockOutput keeps other jobs from writing to the same output until UnlockOutput. It
// returns the job that holds it: id itself on success.
func (s *Store) LockOutput(ctx context.Context, url string, id JobID) (JobID, error) {
	holder, err := s.hold(ctx, s.outputKey(url), string(id), 0)
	return JobID(holder), err
}

// UnlockOutput ends LockOutput; it does nothing when another job holds the lock.
func (s *Store) UnlockOutput(ctx context.Context, url string, id JobID) error {
	return s.release(ctx, s.outputKey(url), string(id))
}

func (s *Store) hold(ctx context.Context, key, token string, ttl time.Duration) (string, error) {
	holder, err := holdScript.Run(ctx, s.rdb, []string{key}, token, ttl.Milliseconds()).Text()
	if err != nil {
		return "", fmt.Errorf("take %s: %w", key, err)
	}
	return holder, nil
}

func (s *Store) release(ctx context.Context, key, token string) error {
	if err := releaseScript.Run(ctx, s.rdb, []string{key}, token).Err(); err != nil {
		return fmt.Errorf("release %s: %w", key, err)
	}
	return nil
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0 // only fields that are not set yet
	}
	return n
}

// Drop removes jobs with all their history, and what the namespace has beside jobs. Nobody may
// be at work in the namespace any more.
func (s *Store) Drop(ctx context.Context, jobs ...JobID) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, id := range jobs {
			p.Del(ctx, s.jobKeys(id)...)
			p.Del(ctx, s.minderKey(id))
		}
		for _, key := range []string{s.jobsKey(), s.activeKey(), s.readyKey(), s.wakeKey(), s.controlKey(), s.executorsKey()} {
			p.Del(ctx, key)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("drop namespace %s: %w", s.namespace, err)
	}
	return nil
}
