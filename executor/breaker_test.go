package executor

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

func TestBenchAfterFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bench
		check := func(wantLeft time.Duration, wantTrial bool) {
			t.Helper()
			if left, trial := b.rest(); left != wantLeft || trial != wantTrial {
				t.Errorf("rest %v, on trial %t; want %v, %t", left, trial, wantLeft, wantTrial)
			}
		}
		b.saw("a", true)
		b.saw("b", true)
		b.saw("c", false) // not in a row
		b.saw("a", true)
		b.saw("b", true)
		check(0, false)
		if _, d := b.saw("a", true); d != benchFirst {
			t.Errorf("benched for %v", d)
		}
		check(benchFirst, true)
		if _, d := b.saw("b", true); d != 0 { // it ran beside the one before
			t.Errorf("benched again for %v", d)
		}
		if b.benched().IsZero() {
			t.Error("nobody is told")
		}
		if _, last := b.avoided(); len(last) != 2 {
			t.Errorf("on trial %v come last", last)
		}
		time.Sleep(benchFirst)
		check(0, true)
		for range 10 {
			b.saw("a", true)
			left, _ := b.rest()
			time.Sleep(left)
		}
		b.saw("b", true)
		check(benchMost, true)
		time.Sleep(benchMost)
		b.saw("c", false)
		check(0, false)
		if !b.benched().IsZero() {
			t.Error("it is on the bench still")
		}
		if _, last := b.avoided(); len(last) > 0 {
			t.Errorf("off trial, %v come last", last)
		}
	})
}

// However often a single job fails, the executor goes on with others, and leaves that job alone for a while.
func TestAJobThatFailsIsLeftToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bench
		check := func(want ...job.ID) {
			t.Helper()
			if shunned, last := b.avoided(); !slices.Equal(shunned, want) || len(last) > 0 {
				t.Errorf("avoided: %v, and %v come last; want %v", shunned, last, want)
			}
			if left, trial := b.rest(); left > 0 || trial {
				t.Errorf("benched for %v, on trial %t", left, trial)
			}
		}
		b.saw("bad", true)
		b.saw("bad", true)
		check()
		for _, want := range []time.Duration{benchFirst, 2 * benchFirst, benchMost, benchMost} {
			if shunned, benched := b.saw("bad", true); shunned != want || benched != 0 {
				t.Errorf("the job is left alone for %v, want %v; benched for %v", shunned, want, benched)
			}
			check("bad")
			time.Sleep(want)
			check()
		}
		b.saw("good", false)
		b.saw("bad", true)
		check("bad") // that others can be done here does not help it
		time.Sleep(benchMost)
		b.saw("bad", false)
		b.saw("bad", true)
		check()
		for i := range 2 * shunMemory { // by name, many jobs; no more are kept than there is room for
			b.saw(job.ID(fmt.Sprint(i)), true)
			b.saw("good", false)
		}
		if len(b.jobs) > shunMemory {
			t.Errorf("%d jobs are kept", len(b.jobs))
		}
	})
}
