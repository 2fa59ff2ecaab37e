package controller

import (
	"context"
	"sync"
	"testing"
	"time"
)

// One of two controllers reports the state of the cluster, and when it stops the other does.
func TestOneControllerReports(t *testing.T) {
	t.Parallel()
	first := newLab(t, nil)
	second, err := New(t.Context(), Config{ID: "second", Store: first.cfg.Store, Open: first.cfg.Open, Work: first.cfg.Work, Log: first.cfg.Log})
	first.must(err)
	controllers := []*Controller{first.Controller, second}
	var running sync.WaitGroup
	defer running.Wait()
	ends := map[*Controller]context.CancelFunc{}
	for _, c := range controllers {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ends[c] = cancel
		running.Go(func() {
			if err := c.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	reporter := func() *Controller {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if a, b := first.Reports(), second.Reports(); a && b {
				t.Fatal("both report")
			} else if a {
				return first.Controller
			} else if b {
				return second
			}
		}
		t.Fatal("nobody reports")
		return nil
	}
	was := reporter()
	ends[was]()
	for is := reporter(); is == was; is = reporter() { // until the first one has stopped
		time.Sleep(5 * time.Millisecond)
	}
}

// A controller that can't renew the lock stops reporting before the lock expires, and another one
// may begin.
func TestReporterThatIsCutOff(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.must(l.holdReports(t.Context()))
	if !l.Reports() {
		t.Fatal("it holds the lock and does not report")
	}
	l.must(l.cfg.Store.ReleaseReports(t.Context(), "boss"))
	if mine, err := l.cfg.Store.HoldReports(t.Context(), "another", time.Hour); !mine || err != nil {
		t.Fatal(mine, err)
	}
	l.must(l.holdReports(t.Context()))
	if l.Reports() {
		t.Error("it reports though another controller holds the lock")
	}
}
