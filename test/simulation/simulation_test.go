package simulation

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

var (
	seedsFlag = flag.Int("seeds", 0, "how many seeds to run; 0: as many as there is time for in CI")
	firstFlag = flag.Uint64("first", 1, "the first seed")
	seedFlag  = flag.Uint64("seed", 0, "run this seed only, and show its trace")
)

func TestMain(m *testing.M) {
	redis.SetLogger(silence{}) // connections break often
	debug.SetGCPercent(800)    // a run makes much garbage and keeps little
	os.Exit(m.Run())
}

// silence drops the Redis client's own log.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// result is the result of a run.
type result struct {
	plan     *plan
	sum      uint64
	lines    []string
	problems []string
	steps    int
	outcomes map[job.State]int
	calls    map[string]int // of scripts, by name and answer
}

// end returns the last part of the trace; a replay shows the whole trace.
func (r result) end() string {
	return fmt.Sprintf("%v\n…\n%s", r.plan, strings.Join(r.lines[max(0, len(r.lines)-100):], "\n"))
}

// run runs a seed.
func run(t *testing.T, seed uint64, verbose bool) (r result) {
	p := newPlan(seed)
	defer func() {
		if why := recover(); why != nil {
			t.Logf("seed %d: %v\nreplay: %s", seed, why, replay(seed))
			panic(why)
		}
	}()
	stuck := time.AfterFunc(2*time.Minute, func() {
		buf := make([]byte, 1<<20)
		panic(fmt.Sprintf("seed %d is stuck; replay: %s\n%s", seed, replay(seed), buf[:runtime.Stack(buf, true)]))
	})
	defer stuck.Stop()
	scratch, err := os.MkdirTemp(memoryFolder(), "simulation-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.RemoveAll(scratch); err != nil {
			t.Error(err)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		s := &sim{
			plan: p, rng: newRand(seed), start: time.Now(), poke: make(chan struct{}, 1),
			started: map[string]int{}, watch: watch{winners: map[string]string{}, calls: map[string]int{}, rules: newRules()},
			store: newStoreWorld(), scratch: scratch, verbose: verbose,
		}
		s.store.deviates, s.store.abortsAt = p.deviates, p.abortsAt
		s.trace.start = s.start
		if s.redis, err = newRedisWorld(); err != nil {
			t.Error(err)
			return
		}
		s.play()
		s.redis.server.Close()
		r = result{plan: p, sum: s.trace.sum, lines: s.trace.lines, problems: s.problems, steps: s.steps, outcomes: map[job.State]int{}, calls: s.watch.calls}
		for _, j := range s.jobs {
			if j.outcome != nil {
				r.outcomes[j.outcome.state]++
			}
		}
	})
	return r
}

// memoryFolder returns a folder for scratch files; "" means the system's.
func memoryFolder() string {
	if _, err := os.Stat("/dev/shm"); err == nil {
		return "/dev/shm"
	}
	return ""
}

// play executes a run from beginning to end.
func (s *sim) play() {
	for range s.controllers {
		s.later(time.Second, "begin", s.startController)
	}
	for range s.executors {
		s.later(time.Second, "begin", s.startExecutor)
	}
	for i, p := range s.specs {
		j := s.newJob(i, p)
		s.jobs = append(s.jobs, j)
		if !j.waits {
			s.after(p.submitAt, "submit", func() { s.submit(j) })
		}
	}
	s.runUntil(s.faultTime, s.allEnded)
	s.endFaults()
	if !s.runUntil(10*time.Minute, s.allEnded) {
		s.explainStall()
	}
	s.stopAll()
	s.expire()
	s.checkAll()
}

func (s *sim) allEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients > 0 {
		return false
	}
	for _, j := range s.jobs {
		if j.outcome == nil {
			return false
		}
	}
	return !slices.ContainsFunc(s.timers, func(t timer) bool { return t.what == "failover" || t.what == "submit" })
}

func (s *sim) explainStall() {
	for _, j := range s.jobs {
		if j.outcome == nil {
			s.problem("%s has not ended; it is in phase %q", j.id, s.phase(j))
		}
	}
	for _, r := range s.pending {
		s.trace.note("pending: %s %s", r.process.name, r.what)
	}
	s.trace.note("%s", s.redis.server.Dump())
}

// longestTTL is how long the key of an ended process, or of a controller's hold on a job, may live,
// even if the clock of Redis was set back.
const longestTTL = time.Minute

// expire lets the history expire, and a controller clean up after it.
func (s *sim) expire() {
	s.timers = nil // processes are no longer replaced
	s.runUntil(max(s.history, longestTTL)+time.Second, func() bool { return false })
	s.startController()
	s.startExecutor() // removes hints that came late
	s.runUntil(5*time.Second, func() bool { return false })
	s.stopAll()
	s.redis.setTime(time.Now())
}

// checkAll checks all jobs, and looks for leftovers.
func (s *sim) checkAll() {
	for _, j := range s.jobs {
		if j.outcome != nil {
			s.checkJob(j)
		}
	}
	s.problems = append(s.problems, s.failed...)
	s.checkRedis()
	s.checkStore()
	left, err := os.ReadDir(s.scratch)
	if err != nil || len(left) > 0 {
		s.problem("left in the scratch folder: %v, %v", left, err)
	}
}

func (s *sim) checkRedis() {
	for _, key := range s.redis.server.Keys() {
		name := strings.TrimPrefix(key, state.DefaultNamespace+":")
		switch {
		case name == "news": // of a bounded length
		case name == "alive" && s.durable: // for ever
		case name == "wake", name == "control": // tokens that no process has taken
		case name == "executors": // killed executors, which stay until a client lists the executors
		default:
			s.problem("left in Redis: %s", key)
		}
	}
}

func (s *sim) checkStore() {
	for _, u := range s.store.uploadsBelow("") {
		if up := s.store.uploads[u.ID]; !s.excused(u.Key, up.writer, up.begun) {
			s.problem("left on the store: the upload %s of %s by %s", u.ID, u.Key, up.writer.name)
		}
	}
	for _, key := range s.store.keys("work/") {
		if o := s.store.objects[key]; !s.excused(key, o.writer, o.made) {
			s.problem("left on the store: %s by %s", key, o.writer.name)
		}
	}
}

// excused reports whether no process could have removed an object: because it was written after its
// job's clean-up, by a request that its process had given up or by a process that was killed then;
// or because Redis has lost its job, and the store has no record of the job.
func (s *sim) excused(key string, writer *process, at time.Time) bool {
	return slices.ContainsFunc(s.jobs, func(j *testJob) bool {
		if !strings.HasPrefix(key, j.output) && !strings.Contains(key, "/"+string(j.id)+"/") {
			return false
		}
		late := !j.settled.IsZero() && at.After(j.settled)
		return late && (writer.past || writer.dead) || j.lost
	})
}

func replay(seed uint64) string {
	return fmt.Sprintf("go test ./test/simulation -run 'TestSeeds$' -v -seed %d", seed)
}

// enough failing seeds to see what is wrong.
const enough = 5

// Whatever happens during a run, every job ends correctly and leaves nothing.
func TestSeeds(t *testing.T) {
	if *seedFlag != 0 {
		show(t, run(t, *seedFlag, true))
		return
	}
	count := *seedsFlag
	if count == 0 {
		count = defaultSeeds
	}
	var next atomic.Uint64
	var mu sync.Mutex
	var steps int
	var failed atomic.Int32
	outcomes, calls := map[job.State]int{}, map[string]int{}
	next.Store(*firstFlag - 1)
	last := *firstFlag + uint64(count) - 1
	t.Run("all", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for seed := next.Add(1); seed <= last && failed.Load() < enough; seed = next.Add(1) {
					r := run(t, seed, false)
					mu.Lock()
					steps += r.steps
					for state, n := range r.outcomes {
						outcomes[state] += n
					}
					for call, n := range r.calls {
						calls[call] += n
					}
					if len(r.problems) > 0 {
						failed.Add(1)
						t.Errorf("seed %d: %s; replay it: %s\n%s", seed, strings.Join(r.problems[:min(3, len(r.problems))], "; "), replay(seed), r.end())
					}
					mu.Unlock()
				}
			})
		}
	})
	t.Logf("%d seeds, %d steps, jobs: %v, scripts: %v", count, steps, outcomes, calls)
}

func show(t *testing.T, r result) {
	t.Logf("%v\n%s\ntrace %016x, %d steps", r.plan, strings.Join(r.lines, "\n"), r.sum, r.steps)
	for _, p := range r.problems {
		t.Error(p)
	}
}

// A seed is useful only if it gives the same run each time.
func TestSeedsReplay(t *testing.T) {
	t.Parallel()
	for seed := *firstFlag; seed < *firstFlag+replayedSeeds; seed++ {
		first, second := run(t, seed, false), run(t, seed, false)
		if first.sum == second.sum {
			continue
		}
		for i := range min(len(first.lines), len(second.lines)) {
			if first.lines[i] != second.lines[i] {
				t.Errorf("seed %d takes two ways at step %d:\n%s\n%s\nafter\n%s", seed, i, first.lines[i], second.lines[i], strings.Join(first.lines[max(0, i-8):i], "\n"))
				break
			}
		}
	}
}
