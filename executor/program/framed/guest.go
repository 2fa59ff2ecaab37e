package framed

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

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// Program is a program that runs in processes that speak the framed protocol.
type Program struct {
	Config program.Config
	Spec   program.Spec
	// Files are absolute paths by the names in the working folder.
	Files map[string]string
	// Command prepares the attempt's scratch folder and returns the command line.
	Command func(ctx context.Context, a program.Attempt) ([]string, error)
	// Apart, if not nil, copies the program to a folder without other files, as at an executor.
	// Check uses the copy.
	Apart func(folder string) (*Program, error)
	// Foreign says that the program may be any executable, also one that does not speak the
	// protocol; errors then say how to run such a program.
	Foreign bool

	// NewPairs, if not nil, returns the decoder of a map attempt's PAIRS frames; nil: programs may
	// not send any. Limit bounds the decoder's memory, in bytes.
	NewPairs func(limit int64) PairDecoder
	// NewGroups, if not nil, returns the writer of a reduce attempt's input, after READY; nil: the
	// input is RECORDS frames. Write writes a frame.
	NewGroups func(ready frames.Ready, write func(t frames.Type, parts ...[]byte) error) GroupWriter
	// Tells says that mappers report what is mapped, by TOOK frames.
	Reports bool
}

// PairDecoder decodes the PAIRS frames of one attempt. One goroutine uses it.
type PairDecoder interface {
	// Take decodes a payload, which it may change, and emits the records or keeps them for
	// Drain. A UserError is the program's fault; any other error means that the program breaks
	// the protocol.
	Take(payload []byte, out *record.Emitter) error
	// Drain emits what Take has kept.
	Drain(out *record.Emitter) error
}

// GroupWriter writes the input of one reduce attempt. One goroutine uses it.
type GroupWriter interface {
	// Take takes a block of sorted records, which it does not keep.
	Take(block []byte) error
	// Finish writes what is left.
	Finish() error
}

// Traits implements Program: nothing is known of a guest's data.
func (p *Program) Traits() program.Traits { return program.Traits{} }

// NewMapper implements Program.
func (p *Program) NewMapper(ctx context.Context, a program.Attempt) (program.Mapper, error) {
	g, err := p.start(ctx, a, frames.RoleMap)
	if err != nil {
		return nil, err
	}
	if p.Reports {
		return &reportingMapper{guestMapper: guestMapper{guest: g}}, nil
	}
	return &guestMapper{guest: g}, nil
}

// NewReducer implements Program.
func (p *Program) NewReducer(ctx context.Context, a program.Attempt) (program.Reducer, error) {
	g, err := p.start(ctx, a, frames.RoleReduce)
	if err != nil {
		return nil, err
	}
	if p.NewGroups != nil {
		return &groupReducer{guest: g, newGroups: p.NewGroups}, nil
	}
	return &guestReducer{guest: g}, nil
}

// guest is a conversation with a process.
type guest struct {
	name       string
	foreign    bool // it may be any executable, also one that does not speak the protocol
	started    bool // it has said READY; confined to the goroutine that takes frames
	cfg        program.Config
	ctx        context.Context // ends with the attempt
	progressed func()          // see Attempt.Progressed; not nil
	took       func(int64)     // see Attempt.Took; nil: the guest may not send TOOK frames
	stop       func() bool     // stops ctx from killing the process
	proc       *process.Process

	frames   *frames.Writer
	incoming chan frame
	free     chan []byte // buffers for incoming frames
	reader   sync.WaitGroup

	pairs  PairDecoder       // for PAIRS frames; nil: the guest may not send any
	ready  chan frames.Ready // the guest's READY, if nobody has received it
	killed chan struct{}     // closed by Kill
	kill   sync.Once
	done   frames.Done // valid once the guest has said DONE
}

// frame is what the reader goroutine has read.
type frame struct {
	kind    frames.Type
	payload []byte
	err     error // then nothing follows
}

// maxDone bounds a DONE message: the most counters, with each byte of their names escaped.
const maxDone = 2 << 20 // bytes

// counterFault returns what is wrong with the counters of an attempt, or "".
func counterFault(counters map[string]int64) string {
	if len(counters) > program.MaxCounters {
		return fmt.Sprintf("it has %d different counters; at most %d are allowed", len(counters), program.MaxCounters)
	}
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		if len(name) > program.MaxCounterName {
			return fmt.Sprintf("the name of the counter %s is longer than %d bytes", record.Preview([]byte(name)), program.MaxCounterName)
		}
	}
	return ""
}

// framesAhead is how many frames the reader may read ahead.
const framesAhead = 2

// start starts a process and sends HELLO. It does not wait for READY: the first frame is READY or
// ERROR.
func (p *Program) start(ctx context.Context, a program.Attempt, role frames.Role) (*guest, error) {
	argv, err := p.Command(ctx, a)
	if err != nil {
		return nil, err
	}
	if err := a.User.As(func() error { return process.LinkFiles(p.Files, a.Scratch) }); err != nil {
		return nil, err
	}
	proc, err := process.Start(argv, p.Config.Process(a))
	if errors.Is(err, process.ErrNotRunnable) && p.Foreign {
		return nil, &program.UserError{Program: p.Spec.Name, Message: err.Error(), Final: true, Cause: err}
	}
	if err != nil {
		return nil, err
	}
	g := &guest{
		name: p.Spec.Name, foreign: p.Foreign, cfg: p.Config, ctx: ctx, proc: proc, progressed: a.Progressed,
		frames:   frames.NewWriter(proc.Stdin),
		incoming: make(chan frame),
		free:     make(chan []byte, framesAhead+1),
		ready:    make(chan frames.Ready, 1),
		killed:   make(chan struct{}),
	}
	if g.progressed == nil {
		g.progressed = func() {}
	}
	for range framesAhead {
		g.free <- nil
	}
	g.stop = context.AfterFunc(ctx, proc.Kill)
	g.reader.Go(g.read)
	hello := frames.Hello{
		Role: role, Job: a.Job, Task: a.Task, Attempt: a.Number, Params: p.Spec.Params,
		Format: a.Format, Reducers: a.Reducers, MapOnly: a.MapOnly, SortValues: a.SortValues, Memory: a.Memory,
	}
	if p.Reports && role == frames.RoleMap {
		if g.took = a.Took; g.took == nil {
			g.took = func(int64) {}
		}
	}
	if p.NewPairs != nil && role == frames.RoleMap && !a.MapOnly {
		limit := a.Buffer
		if limit == 0 {
			limit = program.DefaultBuffer
		}
		g.pairs = p.NewPairs(limit)
	}
	if hello.Params == nil {
		hello.Params = map[string]string{}
	}
	if err := g.frames.WriteMessage(frames.TypeHello, hello); err != nil {
		// The process has ended, or HELLO is too large for a frame; the reader knows.
		err = g.explain(err)
		g.Kill()
		return nil, err
	}
	return g, nil
}

// read hands over frames until the stream ends or the guest is killed.
func (g *guest) read() {
	r := frames.NewReader(g.proc.Stdout)
	for {
		var buf []byte
		select {
		case buf = <-g.free:
		case <-g.killed:
			return
		}
		var f frame
		f.kind, f.payload, f.err = r.Next(buf)
		g.progressed()
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

// take handles a frame: records go to out. It reports whether the guest is done.
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
		default: // READY once more does no harm
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
			err = fmt.Errorf("%w: unexpected %v", frames.ErrMalformed, f.kind)
			break
		}
		err = g.pairs.Take(f.payload, out)
		var user *program.UserError
		if errors.As(err, &user) {
			user.Program = g.name
			return false, user
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
			return false, &program.UserError{Program: g.name, Message: fmt.Sprintf("its counters have %d bytes; at most %d are allowed", len(f.payload), maxDone)}
		}
		err = frames.Decode(f.kind, f.payload, &g.done)
		if fault := counterFault(g.done.Counters); fault != "" {
			return false, &program.UserError{Program: g.name, Message: fault}
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

// exchange takes the guest's output while input runs in another goroutine. It returns when input
// has returned, or, with untilDone, when the guest has said DONE. After an error the guest is dead.
func (g *guest) exchange(input func() error, untilDone bool, out *record.Emitter) error {
	written := make(chan error, 1)
	var writer sync.WaitGroup
	writer.Go(func() { written <- input() })
	err := g.receive(written, untilDone, out)
	if err != nil {
		g.Kill()
		writer.Wait() // input uses what belongs to the caller
	}
	return err
}

// receive is the part of exchange in the caller's goroutine; written receives the result of the
// other part.
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
			return g.cause(program.ErrKilled)
		}
	}
}

// ended returns an error if DONE came too early: all input must be written before. Written, if not
// nil, may report that a moment later.
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

// end waits for the process to end after DONE, and kills it if it doesn't.
func (g *guest) end() error {
	defer g.Kill()
	if err := process.IgnoreClosed(g.proc.Stdin.Close()); err != nil {
		return fmt.Errorf("end program: %w", err)
	}
	if !g.proc.WaitExit(g.ctx, g.cfg.Grace) {
		return context.Cause(g.ctx) // nil if the process lingers, which does no harm
	}
	if g.proc.State().Success() {
		return nil
	}
	return g.cause(program.Died(g.name, g.proc, "it ended with "+g.proc.Exit()+" after its work"))
}

// endInput ends the guest's input, by END and by closing the pipe, so that a program that does not
// know the protocol also ends.
func (g *guest) endInput() error {
	if err := g.frames.Write(frames.TypeEnd); err != nil {
		return err
	}
	return process.IgnoreClosed(g.proc.Stdin.Close())
}

// Kill implements Mapper and Reducer. It returns when the process is reaped.
func (g *guest) Kill() {
	g.kill.Do(func() {
		close(g.killed)
		g.stop()
		g.proc.Kill()
		<-g.proc.Exited()
		// Close fails only if a pipe is closed already: pipes buffer nothing.
		_ = g.proc.Close()
		g.reader.Wait()
	})
}

// Counters implements Counting.
func (g *guest) Counters() map[string]int64 { return g.done.Counters }
