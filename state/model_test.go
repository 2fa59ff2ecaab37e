package state

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/test/testservices"
)

// A play is one job on which actors act at random, one at a time: the scripts are atomic, so
// concurrency can do no more than that to a task. Before each act the raw keys tell what its
// outcome must be; after it they must be consistent.
type play struct {
	*testing.T
	s      *Store
	rng    *rand.Rand
	limits Limits
	pass   func(time.Duration) // lets time pass, or leases expire

	now       snapshot
	owner     map[job.AttemptID]job.ExecutorID // of every attempt ever claimed
	committed map[job.TaskID]job.AttemptID
	counted   map[job.TaskID]bool // committed at least once
	taken     int                 // commits taken back
	epoch     int                 // at the last snapshot
	// takenBefore is how many commits had been taken back when reducing last resumed.
	takenBefore int
	trace       []string
}

func TestRandomPlays(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("BUCKETMILL_TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		must(t, err)
	}
	t.Logf("BUCKETMILL_TEST_SEED=%d", seed)
	t.Run("driven clock", func(t *testing.T) {
		server := miniredis.RunT(t)
		clock := time.Now()
		base := open(t, server.Addr())
		for i := range uint64(15) {
			s := New(base.rdb, fmt.Sprintf("%s-%d", base.namespace, i))
			newPlay(t, s, seed+i, func(d time.Duration) {
				clock = clock.Add(d)
				server.SetTime(clock)
				server.FastForward(d)
			}).run(150)
			server.FlushAll()
		}
	})
	t.Run("redis", func(t *testing.T) {
		base := open(t, testservices.Redis(t).Addr)
		for i := range uint64(60) {
			s := New(base.rdb, fmt.Sprintf("%s-%d", base.namespace, i))
			p := newPlay(t, s, seed+i, nil)
			p.limits.Backoff = time.Microsecond
			p.pass = func(d time.Duration) {
				for _, name := range slices.Sorted(maps.Keys(p.now.run)) {
					if p.rng.Int64N(int64(2*lease)) < int64(d) {
						must(t, s.rdb.Del(t.Context(), s.jobKey(testJob)+":lease:"+name).Err())
					}
				}
			}
			p.run(150)
		}
	})
}

func newPlay(t *testing.T, s *Store, seed uint64, pass func(time.Duration)) *play {
	rng := rand.New(rand.NewPCG(seed, 0))
	p := &play{
		T: t, s: s, rng: rng, pass: pass,
		limits: Limits{User: 1 + rng.IntN(20), Infra: 50, Lost: 50, Segment: 1 + rng.IntN(20), Backoff: time.Second},
		owner:  map[job.AttemptID]job.ExecutorID{}, committed: map[job.TaskID]job.AttemptID{}, counted: map[job.TaskID]bool{},
	}
	started(t, s, testJob, 1+rng.IntN(6), rng.IntN(4))
	return p
}

func (p *play) run(acts int) {
	defer func() {
		if p.Failed() {
			p.Logf("acts: %q", p.trace)
		}
	}()
	p.check()
	for range acts {
		p.act()
		p.check()
	}
	p.end()
}

func (p *play) act() {
	switch p.rng.IntN(40) {
	case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9:
		p.claim(p.executor(), 1+p.rng.IntN(3))
	case 10, 11, 12, 13:
		p.renew(p.executor())
	case 14, 15, 16, 17, 18, 19, 20, 21, 22:
		p.commit(p.attempt())
	case 23, 24, 25, 26, 27:
		p.fail(p.attempt())
	case 28, 29, 30:
		p.lose(p.attempt())
	case 31, 32, 33:
		p.sweep()
	case 34, 35, 36:
		p.did("time passes")
		p.pass(time.Duration(p.rng.Int64N(int64(lease))))
	case 37:
		p.backUp(p.attempt())
	case 38:
		p.redo(p.attempt())
	case 39:
		if p.rng.IntN(20) == 0 {
			p.did("cancel")
			if err := p.s.Stop(p.Context(), testJob, AnyStage, job.Cancelled, job.Failure{}); err != nil && !errors.Is(err, ErrIllegal) {
				p.Fatal(err)
			}
		}
	}
}

func (p *play) did(format string, args ...any) {
	p.trace = append(p.trace, fmt.Sprintf(format, args...))
}

func (p *play) executor() job.ExecutorID { return job.ExecutorID(fmt.Sprintf("e%d", p.rng.IntN(4))) }

// attempt returns an attempt that was once claimed and its executor, and sometimes a stranger.
func (p *play) attempt() (job.AttemptID, job.ExecutorID) {
	all := slices.SortedFunc(maps.Keys(p.owner), func(a, b job.AttemptID) int {
		return cmp.Compare(a.Name(), b.Name())
	})
	if len(all) == 0 {
		return mapAttempt, "stranger"
	}
	a := all[p.rng.IntN(len(all))]
	if p.rng.IntN(10) == 0 {
		return a, "stranger"
	}
	return a, p.owner[a]
}

func (p *play) runs(a job.AttemptID, by job.ExecutorID) bool { return p.now.run[a.Name()] == by }

func (p *play) claim(by job.ExecutorID, n int) []job.AttemptID {
	p.did("%s claims %d", by, n)
	claims, err := p.s.Claim(p.Context(), by, n, lease)
	must(p, err)
	var got []job.AttemptID
	for _, c := range claims {
		if other, ok := p.owner[c.Attempt]; ok {
			p.Fatalf("%s was given to %s before", c.Attempt, other)
		}
		if _, done := p.committed[c.Attempt.Task]; done {
			p.Fatalf("%s was claimed, but the task is done", c.Attempt)
		}
		p.owner[c.Attempt] = by
		got = append(got, c.Attempt)
	}
	return got
}

func (p *play) renew(by job.ExecutorID) {
	p.did("%s renews", by)
	var beats []Beat
	for a, owner := range p.owner {
		if owner == by {
			beats = append(beats, Beat{Attempt: a, Progress: 1})
		}
	}
	lost, _, err := p.s.Renew(p.Context(), by, lease, beats)
	must(p, err)
	for _, b := range beats {
		held := p.runs(b.Attempt, by) && p.now.leases[b.Attempt.Name()]
		if held == slices.Contains(lost, b.Attempt) {
			p.Fatalf("%s: held is %t, but lost are %v", b.Attempt, held, lost)
		}
	}
}

// expect checks the outcome of an act that only the owner of an attempt may perform.
func (p *play) expect(what string, err error, allowed bool) {
	p.Helper()
	if allowed != (err == nil) || err != nil && !errors.Is(err, ErrStale) {
		p.Fatalf("%s: allowed is %t, got %v", what, allowed, err)
	}
}

func (p *play) commit(a job.AttemptID, by job.ExecutorID) {
	p.did("%s commits %s", by, a.Name())
	err := p.s.Commit(p.Context(), a, by, []byte("m"), map[string]int64{"tasks": 1})
	won, done := p.committed[a.Task]
	p.expect("commit", err, p.runs(a, by) || done && won == a && by == p.owner[a])
	if err == nil {
		p.committed[a.Task] = a
		p.counted[a.Task] = true
	}
}

func (p *play) fail(a job.AttemptID, by job.ExecutorID) {
	class := []job.Class{job.ClassUser, job.ClassInfra, job.ClassReleased}[p.rng.IntN(3)]
	p.did("%s fails %s: %s", by, a.Name(), class)
	err := p.s.Fail(p.Context(), a, by, job.Failure{Class: class}, p.limits)
	p.expect("fail", err, p.runs(a, by))
}

func (p *play) lose(a job.AttemptID, by job.ExecutorID) {
	segment, _ := p.attempt()
	if a.Task.Side != job.Reduce || segment.Task.Side != job.Map {
		return
	}
	p.did("%s loses %s for %s", by, segment.Name(), a.Name())
	err := p.s.LoseSegment(p.Context(), a, by, segment, job.Failure{}, p.limits)
	p.expect("lose", err, p.runs(a, by))
	if err == nil && p.committed[segment.Task] == segment && p.read().phase != "cleanup" {
		delete(p.committed, segment.Task)
		p.taken++
	}
}

func (p *play) redo(a job.AttemptID, _ job.ExecutorID) {
	stage := Stage(p.now.job["stage"])
	if p.rng.IntN(4) == 0 {
		stage--
	}
	p.did("redo %s in stage %d", a.Name(), stage)
	err := p.s.Redo(p.Context(), testJob, stage, []Lost{{Attempt: a}}, p.limits)
	if allowed := p.now.phase == "publish" && stage == Stage(p.now.job["stage"]); allowed != (err == nil) || err != nil && !errors.Is(err, ErrIllegal) {
		p.Fatalf("redo: allowed is %t, got %v", allowed, err)
	}
	if err == nil && p.committed[a.Task] == a && p.read().phase != "cleanup" {
		delete(p.committed, a.Task)
		p.taken++
	}
}

func (p *play) sweep() {
	p.did("sweep")
	swept, err := p.s.Sweep(p.Context(), testJob, p.limits)
	must(p, err)
	expired := 0
	for name := range p.now.run {
		if !p.now.leases[name] {
			expired++
		}
	}
	if swept.Lost != expired && swept.Phase != job.PhaseCleanup {
		p.Fatalf("gave %d attempts away, of %d that had expired", swept.Lost, expired)
	}
}

func (p *play) backUp(a job.AttemptID, _ job.ExecutorID) {
	p.did("back up %s", a.Name())
	_, running := p.now.run[a.Name()]
	p.expect("back up", p.s.Backup(p.Context(), a), running)
}

// end has all actors do their duty: the job must end, and nothing but its history may remain.
func (p *play) end() {
	p.did("all are fair")
	for round := 0; p.now.phase == "map" || p.now.phase == "reduce"; round++ {
		if round == 100 {
			p.Fatal("the job does not end")
		}
		p.pass(2 * lease)
		p.check()
		p.sweep()
		p.check()
		for _, a := range p.claim("fair", 10) {
			p.now = p.read()
			p.commit(a, "fair")
		}
		p.check()
	}
	if p.now.phase == "publish" {
		must(p, p.s.Finish(p.Context(), testJob, AnyStage))
	}
	must(p, p.s.Forget(p.Context(), testJob, AnyStage, 0))
	for key, content := range dump(p, p.s) {
		switch key {
		case p.s.wakeKey(), p.s.controlKey(), p.s.newsKey(), p.s.jobsKey():
		default:
			p.Errorf("left behind: %s %s", key, content)
		}
	}
	if p.Failed() {
		p.FailNow()
	}
}
