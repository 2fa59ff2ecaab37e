package program

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// guestProgram is a program that runs in processes of its own.
type guestProgram struct {
	cfg   Config
	spec  Spec
	files map[string]string // absolute paths by the names in the working folder
	// command prepares the attempt's scratch folder, and returns the command line.
	command func(ctx context.Context, a Attempt) ([]string, error)
	// apart, if not nil, copies the program to a folder of its own, as it is at an executor.
	apart func(folder string) (*guestProgram, error)
}

func (p *guestProgram) Traits() Traits { return Traits{} }

func (p *guestProgram) NewMapper(ctx context.Context, a Attempt) (Mapper, error) {
	g, err := p.start(ctx, a, frames.RoleMap)
	if err != nil {
		return nil, err
	}
	if p.spec.Kind == Python {
		return &pythonMapper{guestMapper: guestMapper{guest: g}}, nil
	}
	return &guestMapper{guest: g}, nil
}

func (p *guestProgram) NewReducer(ctx context.Context, a Attempt) (Reducer, error) {
	g, err := p.start(ctx, a, frames.RoleReduce)
	if err != nil {
		return nil, err
	}
	if p.spec.Kind == Python {
		return &pythonReducer{guest: g}, nil
	}
	return &guestReducer{guest: g}, nil
}

// guest is a conversation with a process.
type guest struct {
	name    string
	foreign bool // it may be any executable, also one that does not speak the protocol
	started bool // it has said READY; confined to whoever takes frames
	cfg     Config
	ctx     context.Context // ends with the attempt
	moved   func()          // see Attempt.Moved; not nil
	took    func(int64)     // see Attempt.Took; nil: the guest may not tell that
	stop    func() bool     // stops ctx from killing the process
	proc    *process

	frames   *frames.Writer
	incoming chan frame
	free     chan []byte // buffers for incoming frames
	reader   sync.WaitGroup

	pairs  *pairs            // for PAIRS frames; nil: the guest may not send any
	ready  chan frames.Ready // has what the guest said, if nobody took it
	killed chan struct{}     // closed by Kill
	kill   sync.Once
	done   frames.Done // once it was said
}

// frame is what the reader goroutine found.
type frame struct {
	kind    frames.Type
	payload []byte
	err     error // then nothing follows
}

// maxDone bounds the message that ends a program's work: as many counters as there may be, each byte of their names escaped.
const maxDone = 2 << 20 // bytes

// counterFault says what is wrong with the counters of an attempt; "" if nothing is.
func counterFault(counters map[string]int64) string {
	if len(counters) > maxCounters {
		return fmt.Sprintf("it has %d different counters; at most %d are taken", len(counters), maxCounters)
	}
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		if len(name) > maxCounterName {
			return fmt.Sprintf("the name of the counter %s is longer than %d bytes", preview([]byte(name)), maxCounterName)
		}
	}
	return ""
}

// framesAhead is how many frames the reader may be ahead of the attempt.
const framesAhead = 2

// start starts a process and sends its HELLO. READY is not waited for: it comes before all
// other frames, or an ERROR does.
func (p *guestProgram) start(ctx context.Context, a Attempt, role frames.Role) (*guest, error) {
	argv, err := p.command(ctx, a)
	if err != nil {
		return nil, err
	}
	if err := a.User.as(func() error { return linkFiles(p.files, a.Scratch) }); err != nil {
		return nil, err
	}
	proc, err := startProcess(argv, a, p.cfg, processOptions{})
	if errors.Is(err, errNotRunnable) && p.spec.Kind == Exec {
		return nil, &UserError{Program: p.spec.Name, Message: err.Error(), Final: true, Cause: err}
	}
	if err != nil {
		return nil, err
	}
	g := &guest{
		name: p.spec.Name, foreign: p.spec.Kind == Exec, cfg: p.cfg, ctx: ctx, proc: proc, moved: a.Moved,
		frames:   frames.NewWriter(proc.stdin),
		incoming: make(chan frame),
		free:     make(chan []byte, framesAhead+1),
		ready:    make(chan frames.Ready, 1),
		killed:   make(chan struct{}),
	}
	if g.moved == nil {
		g.moved = func() {}
	}
	for range framesAhead {
		g.free <- nil
	}
	g.stop = context.AfterFunc(ctx, proc.kill)
	g.reader.Go(g.read)
	hello := frames.Hello{
		Role: role, Job: a.Job, Task: a.Task, Attempt: a.Number, Params: p.spec.Params,
		Format: a.Format, Reducers: a.Reducers, MapOnly: a.MapOnly, SortValues: a.SortValues, Memory: a.Memory,
	}
	if p.spec.Kind == Python && role == frames.RoleMap {
		if g.took = a.Took; g.took == nil {
			g.took = func(int64) {}
		}
	}
	if p.spec.Kind == Python && role == frames.RoleMap && !a.MapOnly {
		g.pairs = &pairs{limit: a.Buffer}
		if a.Buffer == 0 {
			g.pairs.limit = DefaultBuffer
		}
	}
	if hello.Params == nil {
		hello.Params = map[string]string{}
	}
	if err := g.frames.WriteMessage(frames.TypeHello, hello); err != nil {
		// The process is gone already, or no HELLO fits the frame; the reader knows which.
		err = g.explain(err)
		g.Kill()
		return nil, err
	}
	return g, nil
}

// read passes frames on until the stream ends or nobody wants them.
func (g *guest) read() {
	r := frames.NewReader(g.proc.stdout)
	for {
		var buf []byte
		select {
		case buf = <-g.free:
		case <-g.killed:
			return
		}
		var f frame
		f.kind, f.payload, f.err = r.Next(buf)
		g.moved()
		select {
		case g.incoming <- f:
		case <-g.killed:
			return
		}
		if f.err != nil {
			return
		}
	}
}

// take handles a frame that is no answer to anything: RECORDS go to out. It tells whether
// the guest is done.
func (g *guest) take(f frame, out *record.Emitter) (done bool, err error) {
	if f.err != nil {
		return false, g.died(f.err)
	}
	switch f.kind {
	case frames.TypeReady:
		var ready frames.Ready
		err = frames.Decode(f.kind, f.payload, &ready)
		g.started = g.started || err == nil
		select {
		case g.ready <- ready:
		default: // it is said more than once, which harms nobody
		}
	case frames.TypeRecords:
		err = out.EmitBlock(f.payload)
		if errors.Is(err, record.ErrCorrupt) {
			err = g.misbehaved(err)
		}
		g.free <- f.payload
		return false, err
	case frames.TypePairs:
		if g.pairs == nil {
			err = fmt.Errorf("%w: %v that were not asked for", frames.ErrMalformed, f.kind)
			break
		}
		err = g.pairs.take(f.payload, out)
		if errors.Is(err, errPair) || errors.Is(err, errKey) {
			return false, &UserError{Program: g.name, Message: fmt.Sprintf("map_fn: %v", err)}
		}
	case frames.TypeTook:
		bytes, n := binary.Uvarint(f.payload)
		if g.took == nil || n <= 0 || n < len(f.payload) || bytes > math.MaxInt64 {
			err = fmt.Errorf("%w: %v with %d bytes", frames.ErrMalformed, f.kind, len(f.payload))
			break
		}
		g.took(int64(bytes))
	case frames.TypeDone:
		if len(f.payload) > maxDone {
			return false, &UserError{Program: g.name, Message: fmt.Sprintf("its counters have %d bytes; at most %d are taken", len(f.payload), maxDone)}
		}
		err = frames.Decode(f.kind, f.payload, &g.done)
		if fault := counterFault(g.done.Counters); fault != "" {
			return false, &UserError{Program: g.name, Message: fault}
		}
		done = true
	case frames.TypeError:
		var failure frames.Failure
		if err = frames.Decode(f.kind, f.payload, &failure); err == nil {
			user := userError(g.name, failure)
			user.Final = !g.started && !failure.Again
			return false, user
		}
	default:
		err = fmt.Errorf("%w: %v from a guest", frames.ErrMalformed, f.kind)
	}
	g.free <- f.payload
	if err != nil {
		return false, g.misbehaved(err)
	}
	return done, nil
}

// exchange takes the guest's output while input runs in another goroutine, until input has
// returned, or, if untilDone, until the guest said DONE. After an error the guest is dead.
func (g *guest) exchange(input func() error, untilDone bool, out *record.Emitter) error {
	written := make(chan error, 1)
	var writer sync.WaitGroup
	writer.Go(func() { written <- input() })
	err := g.receive(written, untilDone, out)
	if err != nil {
		g.Kill()
		writer.Wait() // input holds what belongs to the caller
	}
	return err
}

// receive is the part of exchange that the caller's goroutine does; written gives the
// result of the other part.
func (g *guest) receive(written <-chan error, untilDone bool, out *record.Emitter) error {
	for {
		select {
		case err := <-written:
			written = nil
			if err != nil {
				return g.explain(err)
			}
			if !untilDone {
				return out.Err()
			}
		case f := <-g.incoming:
			done, err := g.take(f, out)
			switch {
			case err != nil:
				return g.cause(err)
			case out.Err() != nil:
				return out.Err()
			case done:
				return g.ended(written, untilDone)
			}
		case <-g.killed:
			return g.cause(errKilled)
		}
	}
}

// ended tells whether DONE came in its time: all input was written before, though written,
// if it is not nil, may not have said so yet.
func (g *guest) ended(written <-chan error, untilDone bool) error {
	if written == nil {
		return nil
	}
	timer := time.NewTimer(g.cfg.Grace)
	defer timer.Stop()
	select {
	case err := <-written:
		if err == nil && untilDone {
			return nil
		}
	case <-timer.C:
	case <-g.killed:
	}
	return g.misbehaved(errEarlyDone)
}

// end waits for the process after DONE, and ends it for certain.
func (g *guest) end() error {
	defer g.Kill()
	if err := ignoreClosed(g.proc.stdin.Close()); err != nil {
		return fmt.Errorf("end program: %w", err)
	}
	if !g.proc.waitExit(g.ctx, g.cfg.Grace) {
		return context.Cause(g.ctx) // or it lingers, which harms nobody
	}
	if g.proc.cmd.ProcessState.Success() {
		return nil
	}
	return g.cause(g.proc.deathError(g.name, "it ended with "+g.proc.exit()+" after its work"))
}

// endInput tells the guest that its input has ended, in the protocol and outside of it: a program that does not know
// the protocol, and would read on, ends too.
func (g *guest) endInput() error {
	if err := g.frames.Write(frames.TypeEnd); err != nil {
		return err
	}
	return ignoreClosed(g.proc.stdin.Close())
}

// Kill implements Mapper and Reducer. It returns when the process is reaped.
func (g *guest) Kill() {
	g.kill.Do(func() {
		close(g.killed)
		g.stop()
		g.proc.kill()
		<-g.proc.exited
		// Closing only fails for what is closed already: pipes keep nothing back.
		_ = g.proc.close()
		g.reader.Wait()
	})
}

// Counters implements Counting.
func (g *guest) Counters() map[string]int64 { return g.done.Counters }
