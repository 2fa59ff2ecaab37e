package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// TestChaos breaks things while jobs run, and compares every job with the oracle.
func TestChaos(t *testing.T) {
	seed := *seed
	if seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	fmt.Printf("chaos: seed %d, for %v\n", seed, *duration)
	c := newCluster(t, seed)
	if !*noTmpfs {
		c.mountDisk()
	}
	c.begin(settings{
		controllers: 2, executors: *executors,
		executorArgs: []string{"--slots", "2", "--memory", "32MiB"},
	})
	fmt.Printf("chaos: logs are in %s until it ends well\n", c.folder)

	breaking, stop := context.WithTimeout(t.Context(), *duration)
	defer stop()
	b := &breaker{
		c: c, random: rand.New(rand.NewPCG(seed, 0)),
		busy: map[string]bool{}, counts: map[string]int{},
	}
	var faults sync.WaitGroup
	faults.Go(func() { b.run(breaking) })
	verdicts := c.playAll(t.Context(), breaking)
	faults.Wait()
	left := c.leaks(t.Context())

	summarize(c, b, verdicts, left)
	if t.Failed() {
		t.Logf("evidence is in %s; once more: make chaos DURATION=%v SEED=%d", c.folder, *duration, seed)
	}
}

// playAll runs jobs, several at a time, until the faults end, and then waits for the running jobs.
func (c *cluster) playAll(ctx, breaking context.Context) []verdict {
	var (
		next     atomic.Int64
		mu       sync.Mutex
		verdicts []verdict // guarded by mu
		players  sync.WaitGroup
	)
	for range *workers {
		players.Go(func() {
			for breaking.Err() == nil {
				played := c.play(ctx, c.makeJob(int(next.Add(1)-1)))
				mu.Lock()
				verdicts = append(verdicts, played...)
				mu.Unlock()
			}
		})
	}
	players.Wait()
	return verdicts
}

// summarize prints the results, and fails the test for every mistake.
func summarize(c *cluster, b *breaker, verdicts []verdict, left []string) {
	t := c.t
	outcomes, mismatches, late := map[string]int{}, 0, 0
	var slowest verdict
	for _, v := range verdicts {
		outcomes[orNone(v.state)]++
		if v.took > slowest.took {
			slowest = v
		}
		if v.err != nil {
			mismatches++
			if errors.Is(v.err, errLate) {
				late++
			}
			t.Errorf("%s (%s): %v", v.job.spec.Name, v.id, v.err)
		}
	}
	for _, what := range c.findings {
		t.Error(what)
	}
	// If Redis lost a job after its end, or while it was kept for a retry, no process could clean
	// up after it. Controllers collect such objects when they are old.
	all := len(left)
	left = slices.DeleteFunc(left, func(what string) bool {
		return strings.HasPrefix(what, "object ") && slices.ContainsFunc(verdicts, func(v verdict) bool {
			return v.state == forgotten && strings.Contains(what, "/"+string(v.id)+"/")
		})
	})
	for _, what := range left {
		t.Errorf("left behind: %s", what)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(w, "%s\t%v\n", name, value) }
	row("jobs", len(verdicts))
	table(row, outcomes)
	total := 0
	for _, n := range b.counts {
		total += n
	}
	row("faults", total)
	table(row, b.counts)
	row("bytes flipped on their way", c.flipped())
	row("mismatches", mismatches)
	row("leaks", len(left))
	row("objects of forgotten jobs", all-len(left))
	row("other findings", len(c.findings))
	if slowest.job != nil {
		row("slowest job", fmt.Sprintf("%v, %s", slowest.took.Round(time.Millisecond), slowest.job.spec.Name))
	}
	row("slowest recovery", fmt.Sprintf("%v, after %s", c.recovery.slowest.Round(time.Millisecond), c.recovery.after))
	if err := w.Flush(); err != nil {
		t.Error(err)
	}
	if len(verdicts) == 0 || total == 0 {
		t.Error("no job ran, or nothing was broken")
		return
	}
	if late > 0 && late == mismatches && len(c.findings) == 0 {
		t.Attr("timing", "jobs were late, and nothing else was wrong")
	}
}

func orNone(s job.State) string {
	if s == "" {
		return "no state"
	}
	return string(s)
}

// table prints counts, ordered by name.
func table(row func(string, any), counts map[string]int) {
	var names []string
	for name := range counts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		row("  "+name, counts[name])
	}
}

// flipped returns how many bytes the proxies have flipped.
func (c *cluster) flipped() (n int64) {
	for _, s := range c.services() {
		n += s.store.Flipped()
	}
	return n
}
