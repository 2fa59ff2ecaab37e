package executor

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// An executor where attempts fail one after the other through no fault of their programs takes
// itself off the field for a while, so that tasks go where they can be done:
//
//   - Where the attempts of one job fail, it leaves that job's tasks to others, and goes on with
//     other jobs: the fault may well be the job's, and must not be to the harm of the others.
//   - Where those of several jobs fail (its disk is full, its network is bad), it claims nothing.
//     Then it tries with one attempt, of another job if there is one, and sits out for longer if that
//     fails.
const (
	benchAfter = 3                // failures in a row
	benchFirst = 5 * time.Second  // the first time on the bench; doubles
	benchMost  = 20 * time.Second // and no longer than this
	benchJobs  = 2                // jobs that take part in it, at least, for all to stop
)

// shunMemory bounds the jobs that a bench remembers; those that failed last are kept.
const shunMemory = 256

// bench remembers how an executor's attempts ended.
type bench struct {
	mu   sync.Mutex
	all  spell             // guarded by mu: of all jobs
	jobs map[job.ID]*spell // guarded by mu: of those whose attempts failed here last
}

// spell is a series of infrastructure failures.
type spell struct {
	failures int             // since the last attempt that ended otherwise
	of       map[job.ID]bool // the jobs that failed in it
	until    time.Time       // end of the pause that they led to
	last     time.Time       // when the last one was
}

// add counts a failure of a job, and returns for how long there is a pause because of it.
func (s *spell) add(j job.ID, jobs int) time.Duration {
	now := time.Now()
	if now.Before(s.until) {
		return 0 // others that ran beside the one that was the last straw don't count
	}
	if s.of == nil {
		s.of = map[job.ID]bool{}
	}
	s.failures++
	s.of[j], s.last = true, now
	if s.failures < benchAfter || len(s.of) < jobs {
		return 0
	}
	d := min(benchFirst<<min(max(s.failures-benchAfter, 0), 10), benchMost)
	s.until = now.Add(d)
	return d
}

// saw takes down how an attempt of a job ended. It returns for how long the job's tasks are left to others
// because of that, and for how long the executor is benched.
func (b *bench) saw(j job.ID, infra bool) (shunned, benched time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !infra {
		b.all = spell{}
		delete(b.jobs, j)
		return 0, 0
	}
	if b.jobs == nil {
		b.jobs = map[job.ID]*spell{}
	}
	s := b.jobs[j]
	if s == nil {
		b.forget()
		s = &spell{}
		b.jobs[j] = s
	}
	return s.add(j, 1), b.all.add(j, benchJobs)
}

// forget makes room for one more job.
func (b *bench) forget() {
	if len(b.jobs) < shunMemory {
		return
	}
	oldest := slices.MinFunc(slices.Collect(maps.Keys(b.jobs)), func(x, y job.ID) int {
		return b.jobs[x].last.Compare(b.jobs[y].last)
	})
	delete(b.jobs, oldest)
}

// rest returns how long the executor has to sit out yet, and whether it then is on trial: to
// take one attempt, and wait how that ends.
func (b *bench) rest() (left time.Duration, trial bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, time.Until(b.all.until)), b.trial()
}

func (b *bench) trial() bool { return b.all.failures >= benchAfter && len(b.all.of) >= benchJobs }

// avoided returns the jobs whose tasks are left to others now, and those which come last: on trial, the ones
// that led to it.
func (b *bench) avoided() (shunned, last []job.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for job, s := range b.jobs {
		if now.Before(s.until) {
			shunned = append(shunned, job)
		}
	}
	if b.trial() {
		last = slices.Collect(maps.Keys(b.all.of))
	}
	return shunned, last
}

// benched returns until when the executor sits out; zero: it does not.
func (b *bench) benched() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().After(b.all.until) {
		return time.Time{}
	}
	return b.all.until
}
