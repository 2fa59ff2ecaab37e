package simulation

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/bucketmill/bucketmill/objstore"
)

// plan is what a seed decides before the run: the processes, the jobs, and the kinds of faults. A
// few kinds at a time find more mistakes than all kinds at once.
type plan struct {
	seed                   uint64
	executors, controllers int
	slots                  int
	retries                int // of the Redis client; -1: none
	lease                  time.Duration
	history, keepFailed    time.Duration
	faultTime              time.Duration // how long faults happen
	speed                  time.Duration // the longest usual latency
	rates                  rates
	incidents              []incident
	aims                   []*aim
	deviates               deviation // of the store
	abortsAt               int       // completions until all uploads of outputs are aborted; 0: they are not
	durable                bool      // jobs are recorded on the store; else users submit lost jobs again
	specs                  []jobPlan
}

// rates are the probabilities of each fault, per request.
type rates struct {
	lost, answerLost [2]float64 // by service
	delayed          [2]float64
	throttled        float64 // of the store
	denied           float64 // of reading an input: a failure of class user
	damaged          float64 // reading a segment, or bounds
}

func (r rates) none() bool { return r == rates{} }

// incident is a fault of the process whose request is handled at some step, or of the world.
type incident struct {
	step   int
	before bool // before the request is executed
	kind   incidentKind
	length time.Duration
}

type incidentKind int

const (
	kill incidentKind = iota
	freeze
	cutRedis
	cutStore
	stopGently
	forgetScripts
	failOver
	jumpAhead
	jumpBack
	loseObject   // an object of any kind on the work store
	damageObject // the same: a bit of it flips permanently
	changeInput
	loseEverything
	loseAnswer // the request is executed, but its process does not learn this
	arriveLate // the request is executed long after its process gave up
	incidentKinds
)

// aim is an incident that waits for a certain request.
type aim struct {
	incident
	target string // a part of the request's description
	nth    int    // of the requests that match, from 1
	seen   int
}

// targets are the requests that change something permanently, and the requests on which such a
// decision is based.
var targets = []string{
	"submit(", "start(", "claim(", "renew(", "commit(", "fail(", "lose(", "sweep(", "backup(", "stop(", "finish(", "keep(",
	"retry(", "discard(", "forget(", "bm:outputs", ":sampler", "bounds(", "bounds-",
	"complete out", "put if absent", "put[", "delete out", "delete work", "abort out", "abort work", "begin upload out",
	"upload part", "list work", "list uploads", "list out", "stat ", "get[0+-1] work", "get[0+-1] out",
}

// newAim chooses a request and the incident of its process.
func newAim(rng *rand.Rand, lease time.Duration) *aim {
	a := &aim{target: targets[rng.IntN(len(targets))], nth: 1 + rng.IntN(1+rng.IntN(8))}
	a.before = rng.IntN(2) == 0
	a.kind = []incidentKind{
		kill, freeze, freeze, stopGently, failOver, loseEverything, loseAnswer, arriveLate, arriveLate, cutRedis, loseObject, damageObject, changeInput,
	}[rng.IntN(13)]
	a.length = lease + time.Duration(rng.Int64N(int64(2*lease)))
	if a.kind == failOver {
		// The replica lacks this request, and takes over at once or after others have built on it.
		a.before, a.length = true, []time.Duration{0, 50 * time.Millisecond, 2 * time.Second}[rng.IntN(3)]
	}
	if a.kind == loseAnswer || a.kind == arriveLate {
		a.before = true
	}
	return a
}

func (k incidentKind) String() string {
	return [...]string{
		"kill", "freeze", "cut off from redis", "cut off from the store", "stop gently", "script cache lost",
		"failover to a lagging replica", "redis clock jumps ahead", "redis clock jumps back", "an object vanishes", "an object is damaged",
		"an input changes", "redis is empty", "answer lost", "late",
	}[k]
}

// newPlan returns the plan of a seed.
func newPlan(seed uint64) *plan {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := &plan{
		seed:      seed,
		executors: 1 + rng.IntN(3), controllers: 1 + rng.IntN(3), slots: 1 + rng.IntN(3),
		retries:   []int{-1, 1, 3}[rng.IntN(3)],
		lease:     time.Duration(3+rng.IntN(5)) * time.Second,
		history:   time.Duration(5+rng.IntN(30)) * time.Second,
		faultTime: time.Duration(5+rng.IntN(20)) * time.Second,
		speed:     []time.Duration{time.Millisecond, 10 * time.Millisecond, 300 * time.Millisecond}[rng.IntN(3)],
	}
	if rng.IntN(3) == 0 {
		p.keepFailed = time.Duration(1+rng.IntN(6)) * time.Second
	}
	p.rates = newRates(rng)
	for range rng.IntN(6) {
		p.incidents = append(p.incidents, incident{
			step: rng.IntN(300), before: rng.IntN(2) == 0,
			kind:   incidentKind(rng.IntN(int(incidentKinds))),
			length: p.lease/4 + time.Duration(rng.Int64N(int64(2*p.lease))),
		})
	}
	for range max(0, rng.IntN(4)-1) {
		p.aims = append(p.aims, newAim(rng, p.lease))
	}
	p.durable = rng.IntN(6) > 0
	for i := range 1 + rng.IntN(3) {
		p.specs = append(p.specs, newJobPlan(rng, i))
	}
	if len(p.specs) > 1 && rng.IntN(3) == 0 {
		p.specs[1].rival, p.specs[1].overwrite = true, rng.IntN(4) > 0
		if p.specs[1].waits = rng.IntN(2) == 0; p.specs[1].waits {
			p.specs[1].submitAt = 0
		}
	}
	p.deviates = deviation(rng.IntN(int(deviations)))
	if rng.IntN(6) == 0 {
		p.abortsAt = 1 + rng.IntN(8)
	}
	return p
}

// newRates enables each fault with some probability, at a random rate.
func newRates(rng *rand.Rand) (r rates) {
	some := func(rate *float64) {
		if rng.IntN(3) == 0 {
			*rate = []float64{0.005, 0.02, 0.08}[rng.IntN(3)]
		}
	}
	for _, service := range []service{redisService, storeService} {
		some(&r.lost[service])
		some(&r.answerLost[service])
		some(&r.delayed[service])
	}
	some(&r.throttled)
	some(&r.denied)
	some(&r.damaged)
	return r
}

// storeWorks reports whether the store answers every request of a controller in time and without an
// error, and still has what Redis has forgotten.
func (p *plan) storeWorks() bool {
	return !p.has(failOver, cutStore, freeze, loseAnswer, arriveLate) && p.rates.lost[storeService]+p.rates.answerLost[storeService]+p.rates.delayed[storeService]+p.rates.throttled == 0
}

// has reports whether an incident of one of these kinds is planned.
func (p *plan) has(kinds ...incidentKind) bool {
	return slices.ContainsFunc(p.incidents, func(i incident) bool { return slices.Contains(kinds, i.kind) }) ||
		slices.ContainsFunc(p.aims, func(a *aim) bool { return slices.Contains(kinds, a.kind) })
}

// losses returns how often Redis loses data.
func (p *plan) losses() (n int) {
	for _, i := range p.incidents {
		if i.kind == failOver || i.kind == loseEverything {
			n++
		}
	}
	for _, a := range p.aims {
		if a.kind == failOver || a.kind == loseEverything {
			n++
		}
	}
	return n
}

// segmentsLast reports whether nothing removes or damages a committed segment file.
func (p *plan) segmentsLast() bool {
	return !p.has(failOver, loseObject, damageObject, loseEverything) && p.rates.damaged == 0
}

// harmless reports whether the plan has no fault that may make an attempt or a job fail.
func (p *plan) harmless() bool {
	for kind := range incidentKinds {
		if kind != forgetScripts && kind != stopGently && p.has(kind) {
			return false
		}
	}
	return p.rates.none() && p.abortsAt == 0
}

func (p *plan) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d executors with %d slots, %d controllers, lease %v, latency %v, redis retries %d, faults for %v, kept %v, history %v, store %d, uploads aborted at completion %d, durable %v, rates %+v",
		p.executors, p.slots, p.controllers, p.lease, p.speed, p.retries, p.faultTime, p.keepFailed, p.history, p.deviates, p.abortsAt, p.durable, p.rates)
	for _, i := range p.incidents {
		fmt.Fprintf(&s, "; at step %d: %v (%v)", i.step, i.kind, i.length.Round(time.Millisecond))
	}
	for _, a := range p.aims {
		fmt.Fprintf(&s, "; at %q %d, before %v: %v (%v)", a.target, a.nth, a.before, a.kind, a.length.Round(time.Millisecond))
	}
	for i, j := range p.specs {
		fmt.Fprintf(&s, "; job %d: %v", i, j)
	}
	return s.String()
}

// faults are the faults of one request.
type faults struct {
	lost, answerLost, damaged bool
	refused                   error
}

// faultsFor chooses the faults of a request at random.
func (s *sim) faultsFor(r *request) (f faults) {
	if s.calm {
		return f
	}
	f.lost = s.chance(s.rates.lost[r.service])
	f.answerLost = s.chance(s.rates.answerLost[r.service]) || r.answerLost
	if r.service != storeService {
		return f
	}
	reads := strings.HasPrefix(r.what, "get[")
	switch {
	case s.chance(s.rates.throttled):
		f.refused = fmt.Errorf("simulated: %w", objstore.ErrThrottled)
	case reads && strings.Contains(r.what, " in/") && s.chance(s.rates.denied):
		f.refused = fmt.Errorf("simulated: %w", objstore.ErrDenied)
	case reads && (strings.HasSuffix(r.what, ".seg") || isBounds(r.what)) && s.chance(s.rates.damaged):
		f.damaged = true
	}
	return f
}

// latency returns how long a request takes to arrive.
func (s *sim) latency(r *request) time.Duration {
	d := s.upTo(s.speed)
	if s.calm {
		return min(d, time.Millisecond)
	}
	if s.chance(s.rates.delayed[r.service]) {
		d += s.upTo(4 * time.Second)
	}
	return time.Duration(float64(d) * r.process.slow)
}

// incident executes the plan's incidents for this step. It reports whether the request can no
// longer be handled.
func (s *sim) incident(r *request, before bool) bool {
	if s.calm {
		return false
	}
	for _, i := range append(s.atStep(), s.aimedAt(r)...) {
		if i.before == before && !r.process.dead {
			synctest.Wait() // the process has received all answers
			s.befall(r, i)
		}
	}
	r.befalls = slices.DeleteFunc(r.befalls, func(i incident) bool { return i.before == before })
	if r.process.frozen && before {
		return true // until it continues
	}
	return false
}

// atStep returns the incidents of this step.
func (s *sim) atStep() (now []incident) {
	for _, i := range s.incidents {
		if i.step == s.steps {
			now = append(now, i)
		}
	}
	return now
}

// aimedAt returns the incidents that waited for this request, each once before and once after the
// request.
func (s *sim) aimedAt(r *request) []incident {
	if r.process.past {
		return nil
	}
	for _, a := range s.aims {
		if !r.counted && strings.Contains(r.what, a.target) {
			if a.seen++; a.seen == a.nth {
				r.befalls = append(r.befalls, a.incident)
			}
		}
	}
	r.counted = true
	return r.befalls
}

func (s *sim) befall(r *request, i incident) {
	p := r.process
	switch i.kind {
	case loseAnswer:
		r.answerLost = true
		return
	case arriveLate:
		r.late = s.upTo(3 * s.lease / 2)
		return
	}
	victim := s.victim(p)
	if victim == nil {
		return
	}
	p = victim.process
	s.trace.add("-- %v: %s", i.kind, p.name)
	switch i.kind {
	case kill:
		p.dead, p.frozen = true, false // its requests fail
		s.leave(victim)
	case stopGently:
		s.leave(victim)
	case freeze:
		s.freeze(p, i.length)
	case cutRedis:
		s.cutOff(p, redisService, i.length)
	case cutStore:
		s.cutOff(p, storeService, i.length)
	case forgetScripts:
		s.redis.do([]string{"SCRIPT", "FLUSH"})
	case failOver:
		s.failOver(min(i.length, 2*time.Second))
	case jumpAhead:
		s.redis.jump(i.length)
	case jumpBack:
		s.redis.jump(-i.length)
	case loseObject, damageObject:
		s.strikeObject(i.kind)
	case changeInput:
		s.changeInput()
	case loseEverything:
		if err := s.redis.restore(nil); err != nil {
			s.problem("empty redis: %v", err)
		}
		s.watch.forget(s)
	}
}

func (s *sim) freeze(p *process, d time.Duration) {
	p.frozen = true
	s.after(d, "thaw "+p.name, func() { s.thaw(p) })
}

// thaw lets a process continue. It now sends some of the requests that it was about to send,
// however late.
func (s *sim) thaw(p *process) {
	if !p.frozen {
		return
	}
	p.frozen = false
	for _, r := range s.pending {
		if r.process == p && !r.hung && s.chance(0.7) {
			s.mu.Lock()
			r.gaveUp = nil
			s.mu.Unlock()
		}
	}
}

func (s *sim) cutOff(p *process, from service, d time.Duration) {
	p.cut[from] = true
	s.after(d, fmt.Sprintf("%s reaches %v again", p.name, from), func() { p.cut[from] = false })
}

// failOver replaces Redis after a moment by a replica that lacks the writes of the moment.
func (s *sim) failOver(lag time.Duration) {
	all, err := s.redis.copyAll()
	if err != nil {
		s.problem("copy the keyspace: %v", err)
		return
	}
	s.after(lag, "failover", func() {
		if err := s.redis.restore(all); err != nil {
			s.problem("restore the keyspace: %v", err)
		}
		s.watch.forget(s)
	})
}

func isBounds(key string) bool { return strings.Contains(key, "/bounds-") }

// kindOf returns the kind of an object on the work store.
func kindOf(key string) string {
	switch {
	case strings.HasSuffix(key, ".seg"):
		return "segment"
	case strings.HasSuffix(key, ".manifest"):
		return "manifest"
	case isBounds(key):
		return "bounds"
	case strings.Contains(key, "/plan-"):
		return "page of a plan"
	}
	return key[strings.LastIndexByte(key, '/')+1:] // job.json, plan.json
}

// strikeObject removes or damages an object on the work store. All existing kinds are equally
// likely.
func (s *sim) strikeObject(how incidentKind) {
	byKind := map[string][]string{}
	for _, key := range s.store.keys("work/") {
		byKind[kindOf(key)] = append(byKind[kindOf(key)], key)
	}
	kinds := slices.Sorted(maps.Keys(byKind))
	if len(kinds) == 0 {
		return
	}
	kind := kinds[s.rng.IntN(len(kinds))]
	key := byKind[kind][s.rng.IntN(len(byKind[kind]))]
	for _, j := range s.jobs {
		if strings.Contains(key, "/"+string(j.id)+"/") {
			j.struck[kind] = true
		}
	}
	if how == loseObject {
		delete(s.store.objects, key)
		s.trace.add("-- gone: %s", pagesName.ReplaceAllString(key, "PAGES"))
		return
	}
	o := s.store.objects[key]
	o.data = bytes.Clone(o.data)
	o.data[s.rng.IntN(len(o.data))] ^= 1 << s.rng.IntN(8)
	s.store.objects[key] = o
	s.trace.add("-- damaged: %s", pagesName.ReplaceAllString(key, "PAGES"))
}

// changeInput replaces an input object of a job, at most once per job.
func (s *sim) changeInput() {
	j := s.jobs[s.rng.IntN(len(s.jobs))]
	if j.changed != nil {
		return
	}
	j.changed = slices.Clone(j.inputs)
	i := s.rng.IntN(len(j.inputs))
	j.changed[i] = newInput(s.rng)
	s.store.put(j.inputKey(i), []byte(j.changed[i]), "")
	s.trace.add("-- changed: %s", j.inputKey(i))
}

// endFaults ends all faults.
func (s *sim) endFaults() {
	s.calm = true
	s.trace.add("-- calm")
	for _, r := range s.live {
		s.thaw(r.process)
		r.process.cut = [2]bool{}
		r.process.slow = 1
	}
	for _, r := range s.pending {
		if r.due.After(time.Now().Add(time.Second)) {
			r.due = time.Now().Add(time.Second)
		}
	}
	if s.redis.skew != 0 {
		s.redis.skew = 0
	}
	for _, j := range s.jobs {
		if len(j.reached) > 0 && s.phase(j) == "" {
			s.expectBack(j)
		}
	}
}
