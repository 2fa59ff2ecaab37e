package s3bucket

import (
	"context"
	"errors"
	"time"
)

// errStalled is the cause of a watch's end.
var errStalled = errors.New("nothing came for too long")

// watch ends a request's context when it was not fed in time.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// newWatch gives the context that a request is to have, and d until the watch ends it.
func newWatch(parent context.Context, d time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(parent)
	return ctx, &watch{ctx: ctx, cancel: cancel, timer: time.AfterFunc(d, func() { cancel(errStalled) })}
}

// feed gives the request d more, from now on.
func (w *watch) feed(d time.Duration) { w.timer.Reset(d) }

// pause lets it take as long as it likes until it is fed again.
func (w *watch) pause() { w.timer.Stop() }

// end releases the context.
func (w *watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain says that it was the watch that made the request fail, if so.
func (w *watch) explain(err error) error {
	if err != nil && errors.Is(context.Cause(w.ctx), errStalled) {
		return errStalled
	}
	return err
}
