package state

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// A snapshot is the content of a job's raw keys, all read at one time.
type snapshot struct {
	phase   string
	job     map[string]int // the job's numbers
	run     map[string]job.ExecutorID
	leases  map[string]bool
	done    map[job.Side]map[string]string
	retry   map[job.Side][]string
	att     map[string]string
	counter int
}

func (p *play) read() snapshot {
	p.Helper()
	s, ctx := p.s, p.Context()
	key := s.jobKey(testJob)
	var fields, run, att, doneMap, doneReduce *redis.MapStringStringCmd
	var retryMap, retryReduce, leases *redis.StringSliceCmd
	var counter *redis.StringCmd
	_, err := s.rdb.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		fields, run, att = pipe.HGetAll(ctx, key), pipe.HGetAll(ctx, key+":run"), pipe.HGetAll(ctx, key+":att")
		doneMap, doneReduce = pipe.HGetAll(ctx, key+":done:m"), pipe.HGetAll(ctx, key+":done:r")
		retryMap, retryReduce = pipe.ZRange(ctx, key+":retry:m", 0, -1), pipe.ZRange(ctx, key+":retry:r", 0, -1)
		leases = pipe.Keys(ctx, key+":lease:*")
		counter = pipe.HGet(ctx, key+":counters", "tasks")
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		p.Fatal(err)
	}
	now := snapshot{
		phase: fields.Val()["phase"], job: map[string]int{}, run: map[string]job.ExecutorID{}, leases: map[string]bool{},
		done:    map[job.Side]map[string]string{job.Map: doneMap.Val(), job.Reduce: doneReduce.Val()},
		retry:   map[job.Side][]string{job.Map: retryMap.Val(), job.Reduce: retryReduce.Val()},
		att:     att.Val(),
		counter: atoi(counter.Val()),
	}
	for name, text := range fields.Val() {
		now.job[name] = atoi(text)
	}
	for name, entry := range run.Val() {
		who, _, _ := strings.Cut(entry, " ")
		now.run[name] = job.ExecutorID(who)
	}
	for _, lease := range leases.Val() {
		now.leases[strings.TrimPrefix(lease, key+":lease:")] = true
	}
	return now
}

// check takes a new snapshot and compares it with the protocol and the play's own records.
func (p *play) check() {
	p.Helper()
	p.now = p.read()
	for name := range p.now.leases {
		if _, ok := p.now.run[name]; !ok {
			p.Errorf("lease of %s, which does not run", name)
		}
	}
	if want := len(p.counted); p.now.counter != want {
		p.Errorf("counted %d tasks, %d were ever committed", p.now.counter, want)
	}
	p.checkEpoch()
	p.checkSide(job.Map, "maps", "mapnext", "mapdone")
	p.checkSide(job.Reduce, "reduces", "rednext", "reddone")
	p.checkPhase()
	if p.Failed() {
		p.FailNow()
	}
}

// checkEpoch checks that each set of committed maps that is reduced has an epoch to itself.
func (p *play) checkEpoch() {
	p.Helper()
	epoch := p.now.job["epoch"]
	if changed := p.taken != p.takenBefore; epoch < p.epoch || p.now.phase == "reduce" && changed && epoch == p.epoch {
		p.Errorf("epoch %d after %d, with commits taken back between: %t", epoch, p.epoch, changed)
	}
	if p.now.phase == "reduce" {
		p.takenBefore = p.taken
	}
	p.epoch = epoch
}

func (p *play) checkPhase() {
	p.Helper()
	want := "publish"
	switch {
	case p.now.job["mapdone"] < p.now.job["maps"]:
		want = "map"
	case p.now.job["reddone"] < p.now.job["reduces"]:
		want = "reduce"
	}
	if p.now.phase == "cleanup" {
		if len(p.now.run)+len(p.now.retry[job.Map])+len(p.now.retry[job.Reduce]) > 0 {
			p.Errorf("the job has ended, but %v run and %v wait", p.now.run, p.now.retry)
		}
	} else if p.now.phase != want {
		p.Errorf("phase %s, but %v", p.now.phase, p.now.job)
	}
}

// checkSide checks that no task is lost or doubled: each is done, running, waiting to be tried
// again, or was never claimed.
func (p *play) checkSide(side job.Side, total, next, count string) {
	p.Helper()
	done := p.now.done[side]
	if len(done) != p.now.job[count] {
		p.Errorf("%d %s tasks are done, counted %d", len(done), side, p.now.job[count])
	}
	attempts := map[int][]int{}
	for name := range p.now.run {
		if a, err := job.ParseAttempt(testJob, name); err != nil {
			p.Error(err)
		} else if a.Task.Side == side {
			attempts[a.Task.Index] = append(attempts[a.Task.Index], a.Number)
		}
	}
	for index := range p.now.job[total] {
		task := job.TaskID{Side: side, Index: index}
		entry, isDone := done[strconv.Itoa(index)]
		waits := slices.Contains(p.now.retry[side], strconv.Itoa(index))
		fresh := index >= p.now.job[next]
		running := attempts[index]
		if won, ok := p.committed[task]; ok != isDone || ok && !strings.HasPrefix(entry, strconv.Itoa(won.Number)+" "+string(p.owner[won])+" ") {
			p.Errorf("%s was committed: %t by %s, recorded is %q", task, ok, won, entry)
		}
		exclusive := 0
		for _, is := range []bool{isDone, fresh, waits || len(running) > 0} {
			if is {
				exclusive++
			}
		}
		if p.now.phase != "cleanup" && exclusive != 1 || exclusive > 1 {
			p.Errorf("%s: done %t, never claimed %t, waits %t, runs %v", task, isDone, fresh, waits, running)
		}
		if len(running) > 2 || len(running) == 2 && waits {
			p.Errorf("%s: %v run, waits %t", task, running, waits)
		}
		if highest := max(1, atoi(p.now.att[task.String()])); len(running) > 0 && slices.Max(running) > highest {
			p.Errorf("%s: %v run, highest known is %d", task, running, highest)
		}
	}
}

// atoi returns 0 for a text that is not a number.
func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}
