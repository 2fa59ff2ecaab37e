package mapred

import (
	"context"
	"fmt"
	"io"

	"github.com/bucketmill/bucketmill/internal/frames"
)

// readAhead reads frames while the program works on the one before, and so learns at once that the
// executor is gone.
type readAhead struct {
	ctx     context.Context // of the caller; not the task's, whose end overtakes frames that were read
	frames  chan frame
	free    chan []byte   // buffers for payloads
	stopped chan struct{} // closed when nobody wants frames any more
	held    []byte        // the payload that the program has,
	holds   bool          // if it has one
	end     bool          // END was read
}

// frame is what was read.
type frame struct {
	kind    frames.Type
	payload []byte
	err     error // then nothing follows
}

func newReadAhead(ctx context.Context) *readAhead {
	return &readAhead{ctx: ctx, frames: make(chan frame, 1), free: make(chan []byte, 2), stopped: make(chan struct{})}
}

// start reads frames until END or an error. An error cancels the task at once, and is what next
// returns in its turn.
func (r *readAhead) start(in *frames.Reader, cancel context.CancelCauseFunc) {
	r.free <- nil
	r.free <- nil
	go r.read(in, cancel)
}

func (r *readAhead) read(in *frames.Reader, cancel context.CancelCauseFunc) {
	for {
		var buf []byte
		select {
		case buf = <-r.free:
		case <-r.stopped:
			return
		}
		var f frame
		f.kind, f.payload, f.err = in.Next(buf)
		if f.err == io.EOF {
			f.err = fmt.Errorf("the executor is gone: %w", io.ErrUnexpectedEOF)
		}
		if f.err != nil {
			cancel(f.err)
		}
		select {
		case r.frames <- f:
		case <-r.stopped:
			return
		}
		if f.err != nil || f.kind == frames.TypeEnd {
			return
		}
	}
}

// next returns the payload of the next frame, which must be of type want, or io.EOF at END. It is
// valid until next is called again.
func (r *readAhead) next(want frames.Type) ([]byte, error) {
	if r.end {
		return nil, io.EOF // a Groups may ask again
	}
	if r.holds {
		r.free <- r.held
		r.holds = false
	}
	var f frame
	select {
	case f = <-r.frames:
	case <-r.ctx.Done():
		return nil, context.Cause(r.ctx)
	}
	switch {
	case f.err != nil:
		return nil, f.err
	case f.kind == want:
		r.held, r.holds = f.payload, true
		return f.payload, nil
	case f.kind == frames.TypeEnd:
		r.end = true
		return nil, io.EOF
	}
	return nil, fmt.Errorf("%w: %v instead of %v", frames.ErrMalformed, f.kind, want)
}

// stop ends the reading, at the latest when the read that is under way returns.
func (r *readAhead) stop() { close(r.stopped) }
