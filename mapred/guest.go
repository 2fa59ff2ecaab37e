package mapred

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// blockLen is the length of RECORDS frames, in bytes.
const blockLen = 256 << 10

// guest is one conversation, seen from the program's side.
type guest struct {
	job   Job
	in    *frames.Reader
	out   *frames.Writer
	hello frames.Hello
	ahead *readAhead
	done  frames.Done
	at    place // what is being worked on, for reports of errors
}

// place is the record or the key that a call is about; the zero value means neither.
type place struct {
	record    Record
	key       []byte
	hasRecord bool
	hasKey    bool
}

func newGuest(job Job, in io.Reader, out io.Writer) *guest {
	return &guest{job: job, in: frames.NewReader(in), out: frames.NewWriter(out)}
}

func (g *guest) serve(ctx context.Context, log io.Writer) error {
	if err := g.greet(); err != nil {
		return err
	}
	g.ahead = newReadAhead(ctx)
	ctx, cancel := context.WithCancelCause(context.WithValue(ctx, taskKey{}, newTask(&g.hello, log)))
	defer cancel(nil)
	failure := g.run(ctx, cancel)
	if failure == nil {
		return nil
	}
	if err := g.out.WriteMessage(frames.TypeError, failure.message(g.at)); err != nil {
		return errors.Join(failure.err, err)
	}
	return failure.err
}

// greet reads the HELLO.
func (g *guest) greet() error {
	t, payload, err := g.in.Next(nil)
	if err == io.EOF || errors.Is(err, frames.ErrMalformed) {
		return fmt.Errorf("%w: %w", errNoHost, err)
	}
	if err != nil {
		return err
	}
	if t != frames.TypeHello {
		return fmt.Errorf("%w: %v instead of HELLO", frames.ErrMalformed, t)
	}
	return frames.Decode(t, payload, &g.hello)
}

// run does everything between HELLO and the end. A panic of the program is a failure like its
// errors.
func (g *guest) run(ctx context.Context, cancel context.CancelCauseFunc) (failed *failure) {
	defer func() {
		if p := recover(); p != nil {
			failed = panicked(p)
		}
	}()
	if err := g.task(ctx, cancel); err != nil {
		return &failure{err: err}
	}
	return nil
}

func (g *guest) task(ctx context.Context, cancel context.CancelCauseFunc) error {
	role := g.hello.Role
	if err := g.check(); err != nil {
		return err
	}
	for _, value := range g.job.values(role != frames.RoleReduce, role == frames.RoleReduce || role == frames.RoleCheck && !g.hello.MapOnly) {
		if s, ok := value.(WithSetup); ok {
			if err := s.Setup(ctx); err != nil {
				return fmt.Errorf("setup: %w", err)
			}
		}
	}
	ready := frames.Ready{HasCombine: g.job.Combiner != nil || g.job.Columns != nil}
	if err := g.out.WriteMessage(frames.TypeReady, ready); err != nil || role == frames.RoleCheck {
		return err
	}
	g.ahead.start(g.in, cancel)
	defer g.ahead.stop()
	run := g.mapTask
	if role == frames.RoleReduce {
		run = g.reduceTask
	}
	if err := run(ctx); err != nil {
		return err
	}
	var err error
	if g.done.Counters, err = taskOf(ctx).counted(); err != nil {
		return err
	}
	return g.out.WriteMessage(frames.TypeDone, g.done)
}

// check returns what is wrong with the job in the role that it was started for.
func (g *guest) check() error {
	role := g.hello.Role
	if role != frames.RoleMap && role != frames.RoleReduce && role != frames.RoleCheck {
		return fmt.Errorf("%w: unknown role %q", frames.ErrMalformed, role)
	}
	if err := g.job.check(); err != nil {
		return err
	}
	if !g.job.reduces() && (role == frames.RoleReduce || role == frames.RoleCheck && !g.hello.MapOnly) {
		return errors.New("the job has no reducer")
	}
	return nil
}

// records returns an emitter whose blocks go out as RECORDS.
func (g *guest) records() *record.Emitter {
	return record.NewEmitter(blockLen, func(block []byte) ([]byte, error) {
		return block, g.out.Write(frames.TypeRecords, block)
	})
}

// finish closes value, if it wants that.
func (g *guest) finish(ctx context.Context, value any, emit *Emitter) error {
	g.at = place{}
	if c, ok := value.(WithClose); ok {
		if err := c.Close(ctx, emit); err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
	return emit.flush()
}

// valuesOf returns the values of the current group, whichever that is when they are read.
func valuesOf(groups *record.Groups) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for value, ok := groups.Value(); ok && yield(value); {
			value, ok = groups.Value()
		}
	}
}
