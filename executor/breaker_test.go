package executor

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

func TestBreakerPausesAfterFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b breaker
		check := func(wantLeft time.Duration, wantTrial bool) {
			t.Helper()
			if left, trial := b.remaining(); left != wantLeft || trial != wantTrial {
				t.Errorf("pause of %v left, on trial %t; want %v, %t", left, trial, wantLeft, wantTrial)
			}
		}
		b.attemptEnded("a", true)
		b.attemptEnded("b", true)
		b.attemptEnded("c", false) // not in a row
		b.attemptEnded("a", true)
		b.attemptEnded("b", true)
		check(0, false)
		if _, d := b.attemptEnded("a", true); d != firstPause {
			t.Errorf("pause of %v", d)
		}
		check(firstPause, true)
		if _, d := b.attemptEnded("b", true); d != 0 { // this attempt ran beside the one before
			t.Errorf("another pause of %v", d)
		}
		if b.pausedUntil().IsZero() {
			t.Error("the pause is not reported")
		}
		if _, last := b.avoided(); len(last) != 2 {
			t.Errorf("on trial, %v come last", last)
		}
		time.Sleep(firstPause)
		check(0, true)
		for range 10 {
			b.attemptEnded("a", true)
			left, _ := b.remaining()
			time.Sleep(left)
		}
		b.attemptEnded("b", true)
		check(longestPause, true)
		time.Sleep(longestPause)
		b.attemptEnded("c", false)
		check(0, false)
		if !b.pausedUntil().IsZero() {
			t.Error("the pause has not ended")
		}
		if _, last := b.avoided(); len(last) > 0 {
			t.Errorf("off trial, %v come last", last)
		}
	})
}

// However often a single job fails, the executor continues with other jobs, and avoids that job for
// a while.
func TestBreakerAvoidsAJobThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b breaker
		check := func(want ...job.ID) {
			t.Helper()
			if shunned, last := b.avoided(); !slices.Equal(shunned, want) || len(last) > 0 {
				t.Errorf("avoided: %v, and %v come last; want %v", shunned, last, want)
			}
			if left, trial := b.remaining(); left > 0 || trial {
				t.Errorf("pause of %v left, on trial %t", left, trial)
			}
		}
		b.attemptEnded("bad", true)
		b.attemptEnded("bad", true)
		check()
		for _, want := range []time.Duration{firstPause, 2 * firstPause, longestPause, longestPause} {
			if avoid, pause := b.attemptEnded("bad", true); avoid != want || pause != 0 {
				t.Errorf("the job is avoided for %v, want %v; pause of %v", avoid, want, pause)
			}
			check("bad")
			time.Sleep(want)
			check()
		}
		b.attemptEnded("good", false)
		b.attemptEnded("bad", true)
		check("bad") // the success of another job makes no difference
		time.Sleep(longestPause)
		b.attemptEnded("bad", false)
		b.attemptEnded("bad", true)
		check()
		for i := range 2 * rememberedJobs { // many jobs: only some are remembered
			b.attemptEnded(job.ID(fmt.Sprint(i)), true)
			b.attemptEnded("good", false)
		}
		if len(b.jobs) > rememberedJobs {
			t.Errorf("%d jobs are kept", len(b.jobs))
		}
	})
}
