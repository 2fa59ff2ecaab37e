package simulation

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing/synctest"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

// service is one of the two services of a process: Redis or the store.
type service int

const (
	redisService service = iota
	storeService
)

func (s service) String() string { return [...]string{"redis", "store"}[s] }

// process is a simulated process. Each of its requests names it. Only the scheduler changes its
// fields.
type process struct {
	name   string
	dead   bool    // killed: its requests fail, and change nothing
	past   bool    // it stands for a request that no process waits for
	frozen bool    // paused: its requests wait, whatever its timers say
	cut    [2]bool // by service: no request arrives
	slow   float64 // multiplies its latencies
}

// request is a request of a process. The process waits only for the scheduler: the scheduler also
// delivers time-outs and cancelled contexts, so that it decides the order of all events.
type request struct {
	process *process
	service service
	what    string        // the description in the trace
	done    chan struct{} // closed when the request is answered
	err     error         // set before done is closed
	// exec changes the world and keeps the answer. Only the scheduler calls it.
	exec func(*request)
	// ready reports whether exec would find what the request waits for; nil for a request that
	// never waits.
	ready func() bool
	until time.Time // of a request that waits: when exec is called in any case
	// damaged makes exec answer with a flipped bit.
	damaged bool

	gaveUp error     // guarded by sim.mu: why the process no longer waits
	due    time.Time // when it arrives
	hung   bool      // never answered

	counted    bool          // by the aims
	befalls    []incident    // incidents that were aimed at it
	answerLost bool          // its answer gets lost
	late       time.Duration // not zero: its process sees a lost request, which arrives after this time
}

var (
	errDead = errors.New("this process is dead")
	errLost = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	errLate = &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
)

// sim is one run: a world, its processes, and the scheduler that decides what happens next.
// Everything is confined to the scheduler's goroutine, except what mu guards.
type sim struct {
	*plan
	rng    *rand.Rand
	trace  trace
	start  time.Time
	steps  int
	calm   bool // the faults have ended
	ending bool // processes are no longer replaced

	redis *redisWorld
	store *storeWorld

	mu      sync.Mutex
	arrived []*request // guarded by mu
	poke    chan struct{}

	pending []*request
	timers  []timer
	started map[string]int // processes by role
	live    []*running
	running sync.WaitGroup

	jobs     []*testJob
	watch    watch
	problems []string

	scratch string
	verbose bool     // log lines go into the trace
	logged  []string // guarded by mu: lines that are not in the trace yet
	failed  []string // guarded by mu: processes that ended with an error
	clients int      // guarded by mu: running calls of users
}

// timer is a function that the scheduler calls later.
type timer struct {
	at   time.Time
	what string
	do   func()
}

// ask sends a request to the scheduler and waits for the answer.
func (s *sim) ask(r *request) error {
	r.done = make(chan struct{})
	s.mu.Lock()
	s.arrived = append(s.arrived, r)
	s.mu.Unlock()
	s.wake()
	<-r.done
	return r.err
}

// giveUp tells the scheduler that the process no longer waits for r.
func (s *sim) giveUp(r *request, why error) {
	s.mu.Lock()
	if r.gaveUp == nil {
		r.gaveUp = why
	}
	s.mu.Unlock()
	s.wake()
}

func (s *sim) wake() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

func (s *sim) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.trace.note("PROBLEM: %s", text)
	s.problems = append(s.problems, text)
}

// after makes the scheduler call do after d.
func (s *sim) after(d time.Duration, what string, do func()) {
	s.timers = append(s.timers, timer{time.Now().Add(d), what, do})
}

// runUntil runs the world until ok, or at most for most. It reports whether ok became true.
func (s *sim) runUntil(most time.Duration, ok func() bool) bool {
	end := time.Now().Add(most)
	for {
		synctest.Wait()
		s.admit()
		s.traceLogs()
		if s.fireTimers() {
			continue
		}
		if ok() {
			return true
		}
		now := time.Now()
		if !now.Before(end) {
			return false
		}
		next := end
		if r := s.next(now, &next); r != nil {
			s.steps++
			s.handle(r)
			continue
		}
		for _, t := range s.timers {
			if t.at.Before(next) {
				next = t.at
			}
		}
		s.sleep(next.Sub(now))
	}
}

// sleep advances the time by d, or until a process sends a request.
func (s *sim) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.poke:
	case <-t.C:
	}
}

// admit takes the new requests, in an order that does not depend on which goroutine was faster, and
// chooses their latencies.
func (s *sim) admit() {
	s.mu.Lock()
	arrived := s.arrived
	s.arrived = nil
	s.mu.Unlock()
	slices.SortFunc(arrived, canonical)
	for _, r := range arrived {
		r.due = time.Now().Add(s.latency(r))
	}
	s.pending = append(s.pending, arrived...)
}

// traceLogs appends log lines to the trace.
func (s *sim) traceLogs() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.logged {
		s.trace.note("%s", line)
	}
	s.logged = nil
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2)) }

func canonical(a, b *request) int {
	return cmp.Or(cmp.Compare(a.process.name, b.process.name), cmp.Compare(a.what, b.what))
}

// fireTimers calls the timers that are due, the earliest first. It reports whether there were any.
func (s *sim) fireTimers() bool {
	now := time.Now()
	first := -1
	for i, t := range s.timers {
		if !t.at.After(now) && (first < 0 || t.at.Before(s.timers[first].at)) {
			first = i
		}
	}
	if first < 0 {
		return false
	}
	t := s.timers[first]
	s.timers = slices.Delete(s.timers, first, first+1)
	s.trace.add("-- %s", t.what)
	t.do()
	return true
}

// next returns the request whose turn it is. If there is none it returns nil, and lowers wakeAt to
// the time of the next request.
func (s *sim) next(now time.Time, wakeAt *time.Time) *request {
	var best *request
	for _, r := range s.pending {
		at, ok := s.eligible(r)
		if !ok {
			continue
		}
		if at.After(now) {
			if at.Before(*wakeAt) {
				*wakeAt = at
			}
			continue
		}
		if best == nil || cmp.Or(r.due.Compare(best.due), canonical(r, best)) < 0 {
			best = r
		}
	}
	return best
}

// eligible returns the time from which a request may be handled.
func (s *sim) eligible(r *request) (time.Time, bool) {
	p := r.process
	switch {
	case p.dead:
		return time.Time{}, true
	case p.frozen:
		return time.Time{}, false
	case s.whyGaveUp(r) != nil:
		return time.Time{}, true
	case r.hung, p.cut[r.service]:
		return time.Time{}, false
	case r.ready != nil && time.Now().Before(r.until) && !r.ready():
		return r.until, true
	}
	return r.due, true
}

func (s *sim) whyGaveUp(r *request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.gaveUp
}

// handle handles a request.
func (s *sim) handle(r *request) {
	if s.incident(r, true) {
		return // an incident came before the request
	}
	why := s.whyGaveUp(r)
	switch {
	case r.process.dead:
		s.answer(r, errDead, "dead")
	case why != nil:
		s.late(r, why)
	default:
		s.decide(r)
	}
	s.incident(r, false)
}

// late ends a request whose process no longer waits. The request may arrive later.
func (s *sim) late(r *request, why error) {
	if r.ready != nil || r.hung || r.process.cut[r.service] || s.calm || !s.chance(0.5) {
		s.answer(r, why, "gave up")
		return
	}
	s.answer(r, why, "gave up; it is on its way")
	s.onItsWay(r, s.upTo(3*time.Second))
}

// onItsWay makes a request arrive later, although its process has been told that the request
// failed.
func (s *sim) onItsWay(r *request, d time.Duration) {
	ghost := &request{process: &process{name: r.process.name + "'s past", slow: 1, past: true}, service: r.service, what: r.what, exec: r.exec, done: make(chan struct{})}
	ghost.due = time.Now().Add(d)
	s.pending = append(s.pending, ghost)
}

// answer ends a request.
func (s *sim) answer(r *request, err error, outcome string) {
	s.trace.add("%s %s: %s: %s", r.process.name, r.service, r.what, outcome)
	s.pending = slices.DeleteFunc(s.pending, func(p *request) bool { return p == r })
	r.err = err
	close(r.done)
}

// decide executes a request, or lets it fail, at random.
func (s *sim) decide(r *request) {
	f := s.faultsFor(r)
	switch {
	case r.late > 0 && r.ready == nil:
		s.answer(r, lossOf(r), "lost, it seems; it is on its way")
		s.onItsWay(r, r.late)
	case f.lost && s.chance(0.5):
		s.hang(r, "lost, and nobody says so")
	case f.lost:
		s.answer(r, lossOf(r), "lost")
	case f.refused != nil:
		s.answer(r, f.refused, "refused: "+f.refused.Error())
	default:
		r.damaged = f.damaged
		s.execute(r)
		switch {
		case f.answerLost && s.chance(0.5):
			s.hang(r, "done; the answer is lost, and nobody says so")
		case f.answerLost:
			s.answer(r, lossOf(r), "done, the answer is lost")
		case r.damaged:
			s.answer(r, r.err, "done, the answer is damaged")
		case r.err != nil:
			s.answer(r, r.err, "done: "+r.err.Error())
		default:
			s.answer(r, nil, "done")
		}
	}
}

// hang leaves a request without an answer until its process gives up.
func (s *sim) hang(r *request, outcome string) {
	r.hung = true
	s.trace.add("%s %s: %s: %s", r.process.name, r.service, r.what, outcome)
	why := error(errLate)
	if r.service == storeService {
		why = lossOf(r)
	}
	s.after(requestTimeout, "patience ends", func() { s.giveUp(r, why) })
}

func (s *sim) execute(r *request) {
	s.redis.setTime(time.Now())
	s.store.writer = r.process
	r.exec(r)
}

// lossOf returns the error that a process sees when a request, or its answer, is lost.
func lossOf(r *request) error {
	if r.service == storeService {
		return fmt.Errorf("simulated: %w", objstore.ErrUnavailable)
	}
	return errLost
}

func (s *sim) chance(p float64) bool { return s.rng.Float64() < p }

// upTo returns a random time from 0 to most.
func (s *sim) upTo(most time.Duration) time.Duration {
	return time.Duration(s.rng.Int64N(int64(most) + 1))
}
