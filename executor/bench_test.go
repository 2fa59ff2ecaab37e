package executor

import (
	"testing"
	"testing/synctest"
	"time"
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
		b.saw(true)
		b.saw(true)
		b.saw(false) // not in a row
		b.saw(true)
		b.saw(true)
		check(0, false)
		if d := b.saw(true); d != benchFirst {
			t.Errorf("benched for %v", d)
		}
		check(benchFirst, true)
		if d := b.saw(true); d != 0 { // it ran beside the one before
			t.Errorf("benched again for %v", d)
		}
		if b.benched().IsZero() {
			t.Error("nobody is told")
		}
		time.Sleep(benchFirst)
		check(0, true)
		for range 10 {
			b.saw(true)
			left, _ := b.rest()
			time.Sleep(left)
		}
		b.saw(true)
		check(benchMost, true)
		time.Sleep(benchMost)
		b.saw(false)
		check(0, false)
		if !b.benched().IsZero() {
			t.Error("it is on the bench still")
		}
	})
}
