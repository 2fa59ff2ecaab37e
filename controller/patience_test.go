package controller

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// The time that a store may not answer starts when a controller notices it, however long ago the
// job came to its stage: it may have waited for a controller. Each stage has its own time.
func TestPatienceBeginsWithTheTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Controller{notes: map[job.ID]*note{}}
		away := fmt.Errorf("list: %w", objstore.ErrUnavailable)
		old := state.Job{ID: "j", Stage: 1, Submitted: time.Now().Add(-time.Hour)}
		check := func(job state.Job, err error, want bool) {
			t.Helper()
			if got := (&step{Controller: c, job: job}).shouldRetry(err, time.Minute); got != want {
				t.Errorf("shouldRetry: %t", got)
			}
		}
		check(old, away, true)
		time.Sleep(59 * time.Second)
		check(old, away, true)
		check(old, objstore.ErrDenied, false)
		time.Sleep(time.Second)
		check(old, away, false)
		check(old, context.DeadlineExceeded, false)
		again := old
		again.Stage = 2
		check(again, away, true)
		c.forgetOthers([]job.ID{"other"})
		if len(c.notes) > 0 {
			t.Errorf("left: %v", c.notes)
		}
	})
}
