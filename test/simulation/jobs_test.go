package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/state"
)

// jobPlan is a job that a seed has chosen.
type jobPlan struct {
	program   string // wordcount, sort, distinct; or broken, which fails at every record
	reducers  int
	splitSize int
	inputs    []string // contents of the input objects
	overwrite bool     // replaces an existing output
	submitAt  time.Duration
	cancelAt  job.Phase // "": not cancelled
	retry     bool      // when it is kept
	priority  int
	ordered   bool          // --sort-order total
	values    bool          // --sort-values
	rival     bool          // has the first job's output
	waits     bool          // is submitted after the first job has ended
	patience  time.Duration // --task-timeout; 0: the default
	far       bool          // its output has such a long name that manifests of its parts are objects
}

func (j jobPlan) String() string {
	return fmt.Sprintf("%s of %d inputs (%d lines) by %d bytes, %d reducers, total order %v, sorted values %v, overwrite %v, cancel at %q, retry %v, rival %v, waits %v, task timeout %v, far %v",
		j.program, len(j.inputs), j.lines(), j.splitSize, j.reducers, j.ordered, j.values, j.overwrite, j.cancelAt, j.retry, j.rival, j.waits, j.patience, j.far)
}

func newJobPlan(rng *rand.Rand, n int) jobPlan {
	j := jobPlan{
		program:   []string{"wordcount", "wordcount", "sort", "distinct"}[rng.IntN(4)],
		reducers:  []int{0, 1, 1, 2, 3, 7}[rng.IntN(6)],
		splitSize: 20 + rng.IntN(150),
		overwrite: rng.IntN(4) == 0,
		submitAt:  time.Duration(rng.IntN(2000*n+1)) * time.Millisecond,
		retry:     rng.IntN(3) > 0,
		priority:  rng.IntN(3) - 1,
	}
	if j.reducers > 0 {
		j.ordered, j.values = rng.IntN(3) == 0, rng.IntN(4) == 0
	}
	if rng.IntN(12) == 0 {
		j.program = "broken"
	}
	if rng.IntN(5) == 0 {
		phases := []job.Phase{job.PhasePlan, job.PhaseMap, job.PhaseReduce, job.PhasePublish, job.PhaseCleanup}
		j.cancelAt = phases[rng.IntN(len(phases))]
	}
	if rng.IntN(4) == 0 {
		j.patience = time.Duration(1500+rng.IntN(3000)) * time.Millisecond
	}
	for range 1 + rng.IntN(2) {
		j.inputs = append(j.inputs, newInput(rng))
	}
	j.far = rng.IntN(2) == 0
	return j
}

// newInput returns the content of an input object.
func newInput(rng *rand.Rand) string {
	var text strings.Builder
	for range 1 + rng.IntN(30) {
		for w := range 1 + rng.IntN(4) {
			if w > 0 {
				text.WriteByte(' ')
			}
			fmt.Fprintf(&text, "w%d", rng.IntN(12))
		}
		text.WriteByte('\n')
	}
	return text.String()
}

func (j jobPlan) lines() (n int) {
	for _, text := range j.inputs {
		n += strings.Count(text, "\n")
	}
	return n
}

// oracle returns the correct output of the job for some inputs, as sorted lines, computed without
// the project's code.
func (j jobPlan) oracle(inputs []string) []string {
	var lines []string
	counts := map[string]int{}
	for line := range strings.Lines(strings.Join(inputs, "")) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case j.program != "wordcount":
			lines = append(lines, line)
		case j.reducers == 0:
			for word := range strings.FieldsSeq(line) {
				lines = append(lines, word+"\t1")
			}
		default:
			for word := range strings.FieldsSeq(line) {
				counts[word]++
			}
		}
	}
	for word, n := range counts {
		lines = append(lines, fmt.Sprintf("%s\t%d", word, n))
	}
	slices.Sort(lines)
	if j.program == "distinct" && j.reducers > 0 {
		lines = slices.Compact(lines)
	}
	return lines
}

// testJob is a job of a run.
type testJob struct {
	jobPlan
	id     job.ID
	output string // prefix of the keys of its output
	old    bool   // there was an output before
	total  int    // tasks that write output; 0: unknown

	changed []string        // contents of its inputs after one changed; nil: none has
	struck  map[string]bool // kinds of its objects on the work store of which an object was lost or damaged

	lost        bool // Redis has lost it, and the store has no record: the job had its final state, or is not durable
	unpublished bool // a failover sent it back while it was being published
	undone      bool // a failover sent it back after it had its final state
	reached     map[job.Phase]bool
	phase       job.Phase
	settled     time.Time // when its clean-up began
	settling    *outcome  // its final state then
	finished    time.Time // when it was last found to be complete; zero: never
	wrote       time.Time // when it was last published; zero: never
	ended       time.Time
	submitted   bool // of a job that waits
	outcome     *outcome
}

// outcome is the job's record when it ended.
type outcome struct {
	state    job.State
	error    string
	counters map[string]string
	total    int // tasks that write output
}

func (s *sim) newJob(n int, p jobPlan) *testJob {
	j := &testJob{jobPlan: p, id: job.ID(fmt.Sprintf("job%d", n)), output: fmt.Sprintf("out%d/", n), reached: map[job.Phase]bool{}, struck: map[string]bool{}}
	if p.far {
		j.output = fmt.Sprintf("out%d%s/", n, strings.Repeat("-far", 50))
	}
	j.old = j.overwrite
	if j.rival {
		j.output, j.old = s.jobs[0].output, s.jobs[0].old
	}
	for i, text := range j.inputs {
		s.store.put(j.inputKey(i), []byte(text), "")
	}
	if j.overwrite && !j.rival {
		for i := range 9 {
			s.store.put(j.output+layout.PartName(i), []byte("old\n"), "")
		}
		s.store.put(j.output+layout.SuccessName, []byte("{}"), "")
	}
	return j
}

func (j *testJob) inputKey(i int) string { return fmt.Sprintf("in/%s/%d.txt", j.id, i) }

func (j *testJob) spec() job.Spec {
	spec := job.Spec{
		Program: j.program, Kind: "builtin", Input: job.Inputs(fmt.Sprintf("%s/in/%s/", storeURL, j.id)),
		SplitSize: job.ByteSize(j.splitSize), Output: storeURL + "/" + j.output,
		Overwrite: j.overwrite, Reducers: &j.reducers, Priority: j.priority, SortValues: j.values,
	}
	if j.ordered {
		spec.SortOrder = job.OrderTotal
	}
	if j.program == "broken" {
		spec.Program, spec.Params = "activity", job.Params{"strict": "true"}
	}
	if j.patience > 0 {
		spec.TaskTimeout = (*job.Duration)(&j.patience)
	}
	return spec
}

// asClient repeats a user's call, in a process of its own, until it is answered.
func (s *sim) asClient(what string, j *testJob, call func(ctx context.Context, p *process, store *state.Store) error) {
	s.started["client"]++
	p := &process{name: fmt.Sprintf("client%d", s.started["client"]), slow: 1}
	s.trace.add("-- %s: %s %s", p.name, what, j.id)
	store := state.New(s.client(p, s.retries), state.DefaultNamespace)
	s.clients++
	s.running.Go(func() {
		for range 100 {
			err := call(context.Background(), p, store)
			if err == nil || errors.Is(err, state.ErrIllegal) || errors.Is(err, state.ErrNoJob) {
				break
			}
			time.Sleep(700 * time.Millisecond)
		}
		err := store.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.clients--
		if err != nil {
			s.failed = append(s.failed, fmt.Sprintf("%s: %v", p.name, err))
		}
	})
}

func (s *sim) submit(j *testJob) {
	s.asClient("submit", j, func(ctx context.Context, p *process, store *state.Store) error {
		c, err := s.controllerOf(ctx, p, store)
		if err != nil {
			return err
		}
		_, err = c.Submit(ctx, j.id, j.spec())
		return err
	})
}

func (s *sim) cancel(j *testJob) {
	s.asClient("cancel", j, func(ctx context.Context, _ *process, store *state.Store) error {
		return store.Stop(ctx, j.id, state.AnyStage, job.Cancelled, job.Failure{Class: job.ClassJob, Message: "cancelled"})
	})
}

func (s *sim) retryJob(j *testJob) {
	s.asClient("retry", j, func(ctx context.Context, p *process, store *state.Store) error {
		c, err := s.controllerOf(ctx, p, store)
		if err != nil {
			return err
		}
		return c.Retry(ctx, j.id)
	})
}

// phase returns a job's phase in Redis; "" for an unknown job.
func (s *sim) phase(j *testJob) job.Phase {
	return job.Phase(s.redis.server.HGet(jobKey(j), "phase"))
}

// record returns the key of the job's record on the store.
func (j *testJob) record() string { return fmt.Sprintf("work/jobs/%s/job.json", j.id) }

func jobKey(j *testJob) string { return fmt.Sprintf("%s:{%s}", state.DefaultNamespace, j.id) }
