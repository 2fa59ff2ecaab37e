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

// service is one of the two that a process talks to.
type service int

const (
	redisService service = iota
	storeService
)

func (s service) String() string { return [...]string{"redis", "store"}[s] }

// process is a simulated process: everything that it asks of the world names it. Its fields are
// changed by the scheduler only.
type process struct {
	name   string
	dead   bool    // it was killed: whatever it asks fails, and changes nothing
	past   bool    // it is a request that nobody waits for any more
	frozen bool    // it stands still: its requests wait, whatever its timers say
	cut    [2]bool // by service: nothing gets through
	slow   float64 // multiplies its latencies
}

// request is something that a process asks of the world. The process waits for the scheduler,
// and for nothing else: time-outs and cancelled contexts come to it through the scheduler, too,
// so that the order of all events is the scheduler's.
type request struct {
	process *process
	service service
	what    string        // canonical: what the trace shows
	done    chan struct{} // closed once it is answered
	err     error         // how it failed; set before done is closed
	// exec changes the world and keeps the answer. It is called by the scheduler.
	exec func(*request)
	// ready tells whether exec would find what it waits for; nil for a request that never waits.
	ready func() bool
	until time.Time // of a request that waits: when exec is to be called anyway
	// damaged asks exec to answer with a flipped bit.
	damaged bool

	gaveUp error     // guarded by sim.mu: why the process waits no more
	due    time.Time // when it arrives
	hung   bool      // it will never be answered

	counted    bool          // by those that aim at such requests
	befalls    []incident    // that were aimed at it
	answerLost bool          // and so will its answer be
	late       time.Duration // not zero: its process is told that it is lost, and it arrives after that time
}

var (
	errDead = errors.New("this process is dead")
	errLost = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	errLate = &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
)

// sim is one run: a world, its processes, and the scheduler that decides what happens next.
// Everything is confined to the scheduler's goroutine but for what mu guards.
type sim struct {
	*plan
	rng    *rand.Rand
	trace  trace
	start  time.Time
	steps  int
	calm   bool // no faults any more
	ending bool // nobody is replaced any more

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
	verbose bool     // processes' logs go into the trace
	logged  []string // guarded by mu: what is not in the trace yet
	failed  []string // guarded by mu: processes that ended with an error
	clients int      // guarded by mu: users' calls that go on
}

// timer is something that the scheduler has to do later.
type timer struct {
	at   time.Time
	what string
	do   func()
}

// ask hands a request to the scheduler and waits for its answer.
func (s *sim) ask(r *request) error {
	r.done = make(chan struct{})
	s.mu.Lock()
	s.arrived = append(s.arrived, r)
	s.mu.Unlock()
	s.wake()
	<-r.done
	return r.err
}

// giveUp tells the scheduler that the process waits for r no more.
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

// after has do called by the scheduler once d is over.
func (s *sim) after(d time.Duration, what string, do func()) {
	s.timers = append(s.timers, timer{time.Now().Add(d), what, do})
}

// runUntil lets the world go on until ok, or for most at most. It tells whether ok came true.
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

// sleep lets time go on until d is over or a process asks for something.
func (s *sim) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.poke:
	case <-t.C:
	}
}

// admit takes the requests that came since, in an order that does not depend on which goroutine
// was faster, and decides how long they travel.
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

// traceLogs puts what was logged into the trace.
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

// fireTimers does what is due, the earliest first. It tells whether there was anything.
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

// next returns the request whose turn it is, or nil, and then lowers wakeAt to when there will
// be one.
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

// eligible tells from when on a request may be handled.
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

// handle decides what becomes of a request.
func (s *sim) handle(r *request) {
	if s.incident(r, true) {
		return // something befell the process before it could ask
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

// late ends a request whose process waits no more. It may be on its way for a while.
func (s *sim) late(r *request, why error) {
	if r.ready != nil || r.hung || r.process.cut[r.service] || s.calm || !s.chance(0.5) {
		s.answer(r, why, "gave up")
		return
	}
	s.answer(r, why, "gave up; it is on its way")
	s.onItsWay(r, s.upTo(3*time.Second))
}

// onItsWay has a request executed later of which its process has heard that it came to nothing.
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

// decide has a request executed, or not, by the dice.
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

// hang leaves a request without an answer until its process loses patience.
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

// lossOf is how a process sees that a request, or its answer, came to nothing.
func lossOf(r *request) error {
	if r.service == storeService {
		return fmt.Errorf("simulated: %w", objstore.ErrUnavailable)
	}
	return errLost
}

func (s *sim) chance(p float64) bool { return s.rng.Float64() < p }

// upTo is a random time from 0 to most.
func (s *sim) upTo(most time.Duration) time.Duration {
	return time.Duration(s.rng.Int64N(int64(most) + 1))
}
