package e2e

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"
)

// A counting is a submitted word count with its expected result.
type counting struct {
	c    *cluster
	id   string
	want map[string]int
}

// slowCounting submits a word count with the given number of map tasks. Each takes pause, and
// hardly any CPU. Options change the spec.
func (c *cluster) slowCounting(name string, mapTasks int, pause time.Duration, options ...func(*spec)) *counting {
	c.t.Helper()
	text := evenLines(mapTasks, slowLine)
	s := spec{
		Name: name, Program: "slow_word_count.py",
		Input: []string{c.put("in/"+name+".txt", text)}, SplitSize: fmt.Sprint(slowLine),
		Params: map[string]string{"pause": fmt.Sprint(pause.Seconds())},
	}
	for _, option := range options {
		option(&s)
	}
	return c.count(s, text)
}

// withPriority gives a job another priority than 0.
func withPriority(priority int) func(*spec) {
	return func(s *spec) { s.Priority = priority }
}

// withReducePause makes reduce tasks wait at each of their words, of which there are some hundreds.
func withReducePause(pause time.Duration) func(*spec) {
	return func(s *spec) { s.Params["reduce_pause"] = fmt.Sprint(pause.Seconds()) }
}

// slowLine is the length of a line in slow word counts; each line is a map task.
const slowLine = 4 << 10 // bytes

// count submits a word count of text.
func (c *cluster) count(s spec, text []byte) *counting {
	c.t.Helper()
	s.Output, s.Reducers = c.output(s.Name), 3
	var program []byte
	if s.Program != "wordcount" {
		var err error
		if program, err = os.ReadFile("testdata/" + s.Program); err != nil {
			c.t.Fatal(err)
		}
	}
	return &counting{c: c, id: c.submit(c.t, s, program), want: countWords(text)}
}

// until waits for a condition of the job, which must become true before the job's end.
func (n *counting) until(what string, ask func(job) error) {
	n.c.t.Helper()
	eventually(n.c.t, "job "+n.id+": "+what, func() error {
		j, err := n.c.job(n.c.t.Context(), n.id)
		if err != nil {
			return err
		}
		if err = ask(j); err != nil && j.ended() {
			return fmt.Errorf("%w: the job is %s (error %s): %w", errNever, j.State, j.Error, err)
		}
		return err
	})
}

// underway waits until that many map tasks are done while others run.
func (n *counting) underway(done int) {
	n.c.t.Helper()
	n.until("wait for its maps", func(j job) error {
		if maps := j.Progress.Map; maps.Done < done || maps.Running == 0 || maps.Done == maps.Total {
			return fmt.Errorf("%d maps of %d are done, %d run", maps.Done, maps.Total, maps.Running)
		}
		return nil
	})
}

// unfinished checks that the job's map tasks are not all done, so that the test's fault came in
// time.
func (n *counting) unfinished() {
	n.c.t.Helper()
	n.until("be in the midst of its maps", func(j job) error {
		if maps := j.Progress.Map; maps.Total == 0 || maps.Done == maps.Total {
			return fmt.Errorf("%w: %d maps of %d are done", errNever, maps.Done, maps.Total)
		}
		return nil
	})
}

// runs waits until the executor runs an attempt, and returns the attempt.
func (n *counting) runs(executor string) attempt {
	n.c.t.Helper()
	return n.attempt(executor+" runs one", func(a attempt) bool { return a.Executor == executor && a.State == "running" })
}

// attempt waits until one of the job's attempts meets a condition.
func (n *counting) attempt(what string, wanted func(attempt) bool) (found attempt) {
	n.c.t.Helper()
	n.until("wait until "+what, func(job) error {
		all, err := n.c.attempts(n.c.t.Context(), n.id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, wanted)
		if i < 0 {
			return fmt.Errorf("none of %d attempts is as wanted", len(all))
		}
		found = all[i]
		return nil
	})
	return found
}

// check waits for the job's end, compares its results with the expected results, and returns them.
func (n *counting) check() (job, []byte) {
	n.c.t.Helper()
	var end job
	n.until("wait for its end", func(j job) error {
		end = j
		if j.State != "COMPLETED" {
			return fmt.Errorf("it is %s, with %+v", j.State, j.Progress)
		}
		return nil
	})
	results := n.c.results(n.c.t, n.id)
	diffCounts(n.c.t, parseCounts(n.c.t, results), n.want)
	return end, results
}

// diffCounts compares counts of words.
func diffCounts(t *testing.T, got, want map[string]int) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	shown := 0
	for word, n := range want {
		if got[word] != n && shown < 5 {
			shown++
			t.Errorf("%q was counted %d times; it occurs %d times", word, got[word], n)
		}
	}
	t.Fatalf("%d words were counted, %d occur", len(got), len(want))
}
