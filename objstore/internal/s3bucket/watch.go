package s3bucket

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// errStalled is what the cause of a watch's end wraps.
var errStalled = errors.New("the request was given up")

// watch ends a request's context when it was not fed in time.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	wound  atomic.Int64 // how long the timer was last set to run

	// slow is a second timer, nil unless there is a hurry: it runs when the first does.
	slow  *time.Timer
	after time.Duration // how long it runs
}

// newWatch gives the context that a request is to have, and d until the watch ends it.
func newWatch(parent context.Context, d time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(parent)
	w := &watch{ctx: ctx, cancel: cancel}
	w.wound.Store(int64(d))
	w.timer = time.AfterFunc(d, func() { w.giveUp(time.Duration(w.wound.Load())) })
	return ctx, w
}

// giveUp ends the request, for which nothing was sent or received in so long.
func (w *watch) giveUp(d time.Duration) {
	w.cancel(fmt.Errorf("%w: nothing moved for %v", errStalled, d))
}

// feed gives the request d more, from now on.
func (w *watch) feed(d time.Duration) {
	w.wound.Store(int64(d))
	w.timer.Reset(d)
	if w.slow != nil {
		w.slow.Reset(w.after)
	}
}

// hurry makes a paused watch end the request as soon as it was not fed for after, if allowed says
// so then.
func (w *watch) hurry(after time.Duration, allowed func() bool) {
	w.after = after
	w.slow = time.AfterFunc(after, func() {
		if allowed() {
			w.giveUp(after)
		}
	})
	w.slow.Stop()
}

// pause lets it take as long as it likes until it is fed again.
func (w *watch) pause() {
	w.timer.Stop()
	if w.slow != nil {
		w.slow.Stop()
	}
}

// end releases the context.
func (w *watch) end() {
	w.pause()
	w.cancel(nil)
}

// explain says that it was the watch that made the request fail, if so.
func (w *watch) explain(err error) error {
	if cause := context.Cause(w.ctx); err != nil && errors.Is(cause, errStalled) {
		return cause
	}
	return err
}
