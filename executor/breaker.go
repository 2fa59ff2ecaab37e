package executor

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// An executor whose attempts fail several times in a row, through no fault of their programs,
// pauses its claims for a while, so that other executors get the tasks:
//
//   - If the attempts of one job fail, it avoids that job and continues with other jobs. The fault
//     may well be the job's, and must not harm the others.
//   - If the attempts of several jobs fail (its disk is full, its network is bad), it claims
//     nothing. After the pause it is on trial: it claims one task, of another job if there is one,
//     and pauses for longer if that attempt fails.
const (
	breakAfter   = 3               // failures in a row lead to a pause
	firstPause   = 5 * time.Second // doubles with each failure that follows
	longestPause = 20 * time.Second
	breakJobs    = 2 // the least number of jobs that fail before all claims are paused
)

// rememberedJobs limits the jobs that a breaker remembers; it keeps those that failed last.
const rememberedJobs = 256

// breaker is the circuit breaker of an executor: it learns how attempts ended, and decides whether
// the executor may claim tasks, and of which jobs. Its methods may be called concurrently.
type breaker struct {
	mu   sync.Mutex
	all  streak             // guarded by mu: the failures of all jobs
	jobs map[job.ID]*streak // guarded by mu: the failures of each job whose last attempt here failed
}

// streak is a series of infrastructure failures.
type streak struct {
	failures int             // since the last attempt that ended in another way
	jobs     map[job.ID]bool // the jobs whose attempts failed
	until    time.Time       // the end of the pause; zero: there was none
	last     time.Time       // the time of the last failure
}

// add counts a failure of a job, and returns the length of the pause that begins with it; 0: none
// begins. A pause needs failures of at least leastJobs jobs.
func (s *streak) add(j job.ID, leastJobs int) time.Duration {
	now := time.Now()
	if now.Before(s.until) {
		return 0 // attempts that ran beside the one that caused the pause don't count
	}
	if s.jobs == nil {
		s.jobs = map[job.ID]bool{}
	}
	s.failures++
	s.jobs[j], s.last = true, now
	if s.failures < breakAfter || len(s.jobs) < leastJobs {
		return 0
	}
	d := min(firstPause<<min(max(s.failures-breakAfter, 0), 10), longestPause)
	s.until = now.Add(d)
	return d
}

// attemptEnded records how an attempt of a job ended: infra if it failed through no fault of its
// program. It returns how long the executor avoids the job from now on, and how long it claims
// nothing; 0: not at all.
func (b *breaker) attemptEnded(j job.ID, infra bool) (avoid, pause time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !infra {
		b.all = streak{}
		delete(b.jobs, j)
		return 0, 0
	}
	if b.jobs == nil {
		b.jobs = map[job.ID]*streak{}
	}
	s := b.jobs[j]
	if s == nil {
		b.makeRoom()
		s = &streak{}
		b.jobs[j] = s
	}
	return s.add(j, 1), b.all.add(j, breakJobs)
}

// makeRoom makes room for one more job.
func (b *breaker) makeRoom() {
	if len(b.jobs) < rememberedJobs {
		return
	}
	oldest := slices.MinFunc(slices.Collect(maps.Keys(b.jobs)), func(x, y job.ID) int {
		return b.jobs[x].last.Compare(b.jobs[y].last)
	})
	delete(b.jobs, oldest)
}

// remaining returns how much of the pause is left, and whether the executor is on trial when it
// ends: then it runs one attempt, and waits how that ends, before it claims more.
func (b *breaker) remaining() (left time.Duration, trial bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, time.Until(b.all.until)), b.trial()
}

func (b *breaker) trial() bool { return b.all.failures >= breakAfter && len(b.all.jobs) >= breakJobs }

// avoided returns the jobs that the executor must not claim tasks of, and the jobs of which it
// claims tasks only when no other job has any: on trial, those that led to the pause.
func (b *breaker) avoided() (shunned, last []job.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for j, s := range b.jobs {
		if now.Before(s.until) {
			shunned = append(shunned, j)
		}
	}
	if b.trial() {
		last = slices.Collect(maps.Keys(b.all.jobs))
	}
	return shunned, last
}

// pausedUntil returns the end of the present pause of all claims; zero: there is none.
func (b *breaker) pausedUntil() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().After(b.all.until) {
		return time.Time{}
	}
	return b.all.until
}
