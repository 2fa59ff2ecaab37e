package s3bucket

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// errStalled is wrapped by the cause with which a watchdog ends a request.
var errStalled = errors.New("the request was given up")

// watchdog ends a request's context if it is not fed in time.
type watchdog struct {
	ctx     context.Context // of the request; for its cause
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	timeout atomic.Int64 // for which the timer was last set, in ns

	// slow is a second, shorter timer, which runs when timer runs; nil without limitStalls.
	slow  *time.Timer
	after time.Duration // for which slow is set
}

// newWatchdog returns the context for a request, and the watchdog that ends it after d.
func newWatchdog(parent context.Context, d time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(parent)
	w := &watchdog{ctx: ctx, cancel: cancel}
	w.timeout.Store(int64(d))
	w.timer = time.AfterFunc(d, func() { w.giveUp(time.Duration(w.timeout.Load())) })
	return ctx, w
}

// giveUp ends the request because nothing was sent or received for d.
func (w *watchdog) giveUp(d time.Duration) {
	w.cancel(fmt.Errorf("%w: no progress for %v", errStalled, d))
}

// feed gives the request d from now.
func (w *watchdog) feed(d time.Duration) {
	w.timeout.Store(int64(d))
	w.timer.Reset(d)
	if w.slow != nil {
		w.slow.Reset(w.after)
	}
}

// limitStalls makes a paused watchdog also end the request if it is not fed for after, and allowed
// then returns true.
func (w *watchdog) limitStalls(after time.Duration, allowed func() bool) {
	w.after = after
	w.slow = time.AfterFunc(after, func() {
		if allowed() {
			w.giveUp(after)
		}
	})
	w.slow.Stop()
}

// pause stops the timers until the watchdog is fed again.
func (w *watchdog) pause() {
	w.timer.Stop()
	if w.slow != nil {
		w.slow.Stop()
	}
}

// end releases the context.
func (w *watchdog) end() {
	w.pause()
	w.cancel(nil)
}

// explain returns the watchdog's cause if the watchdog made the request fail, else err.
func (w *watchdog) explain(err error) error {
	if cause := context.Cause(w.ctx); err != nil && errors.Is(cause, errStalled) {
		return cause
	}
	return err
}
