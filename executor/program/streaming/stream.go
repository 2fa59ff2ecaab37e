package streaming

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/process"
)

// readSize is how much of a process's output one read may return, in bytes.
const readSize = 256 << 10

// piecesAhead is how many pieces of output the reader may read ahead.
const piecesAhead = 2

// streams are the processes of one attempt at a task of a streaming program.
type streams struct {
	program *streaming
	ctx     context.Context // ends with the attempt
	attempt program.Attempt // with Progressed and Buffer set
	*reporter

	mu      sync.Mutex
	running []*stream     // guarded by mu
	killed  chan struct{} // closed by Kill, under mu
}

// stream is a process that reads and prints lines. It belongs to one goroutine, except kill.
type stream struct {
	*streams
	name  string // role and program, for errors
	proc  *process.Process
	stdin io.Writer
	stop  func() bool // keeps ctx from killing the process

	incoming chan piece
	free     chan []byte // buffers for pieces
	reader   sync.WaitGroup

	gone chan struct{} // closed by kill
	once sync.Once

	deaf   bool // it takes no more input
	silent bool // its output has ended
}

// piece is output: whole lines, except that the very last line may have no end.
type piece struct {
	lines []byte
	err   error // then nothing follows; io.EOF at the end
}

// start starts a command's process. Env is added to the environment that all processes have.
func (g *streams) start(role string, args, env []string) (*stream, error) {
	s := &stream{
		streams: g, name: role + " " + filepath.Base(args[0]),
		incoming: make(chan piece), free: make(chan []byte, piecesAhead+1), gone: make(chan struct{}),
	}
	var path string
	err := g.attempt.User.As(func() (err error) {
		path, err = findCommand(args[0], g.attempt.Scratch, g.program.path)
		return err
	})
	if err != nil {
		return nil, &program.UserError{Program: s.name, Message: err.Error(), Final: true}
	}
	opts := g.program.cfg.Process(g.attempt)
	opts.Env = slices.Concat(variables(&g.attempt), env, g.program.env)
	opts.Report, opts.Linger, opts.Shared = g.line, true, g.program.combiner != nil
	argv := append([]string{path}, args[1:]...)
	s.proc, err = process.Start(argv, opts)
	if errors.Is(err, syscall.ENOEXEC) { // a script without #!
		s.proc, err = process.Start(append([]string{"/bin/sh"}, argv...), opts)
	}
	if errors.Is(err, process.ErrNotRunnable) {
		return nil, &program.UserError{Program: s.name, Message: err.Error(), Final: true, Cause: err}
	}
	if err != nil {
		return nil, err
	}
	s.stdin = s.proc.Stdin
	if g.program.pacedInput {
		s.stdin = newPacedPipe(s.proc.Stdin)
	}
	for range piecesAhead {
		s.free <- nil
	}
	s.stop = context.AfterFunc(g.ctx, s.proc.Kill)
	s.reader.Go(s.read)
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.killed:
		s.kill()
		return nil, program.ErrKilled
	default:
	}
	g.running = append(g.running, s)
	return s, nil
}

// Kill implements Mapper and Reducer. It returns when all processes are reaped.
func (g *streams) Kill() {
	g.mu.Lock()
	select {
	case <-g.killed:
	default:
		close(g.killed)
	}
	running := slices.Clone(g.running)
	g.mu.Unlock()
	g.killStrays()
	for _, s := range running {
		s.kill()
	}
}

// killStrays ends what the processes have left running, if they share the folder with a combiner;
// otherwise each does that at its end. What does not end, or can't be found, is left to the next
// start on this machine.
func (g *streams) killStrays() {
	if g.program.combiner != nil {
		_ = process.KillStrays(g.attempt.Scratch)
	}
}

// over reports whether the attempt has ended, so that none of its processes may live on.
func (g *streams) over() bool {
	select {
	case <-g.killed:
		return true
	case <-g.ctx.Done():
		return true
	default:
		return false
	}
}

// kill ends the process and all that it has started.
func (s *stream) kill() {
	s.once.Do(func() {
		close(s.gone)
		s.stop()
		s.proc.Kill()
		if s.over() {
			s.killStrays() // they may hold the pipes
		}
		<-s.proc.Exited()
		// Close fails only if a pipe is closed already: pipes buffer nothing.
		_ = s.proc.Close()
		s.reader.Wait()
	})
}

// read hands over output until it ends or the process is killed. It ends only when no process holds
// the output open any longer.
func (s *stream) read() {
	defer s.proc.LetGo()
	var rest []byte
	for {
		var p piece
		select {
		case p.lines = <-s.free:
		case <-s.gone:
			return
		}
		p, rest = s.readPiece(p.lines, rest)
		select {
		case s.incoming <- p:
		case <-s.gone:
			return
		}
		if p.err != nil {
			return
		}
	}
}

// readPiece reads into buf, after the beginning of a line that the last piece has left.
func (s *stream) readPiece(buf, rest []byte) (piece, []byte) {
	buf = append(buf[:0], rest...)
	for {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, max(readSize, len(buf)))
		}
		begun := len(buf)
		n, err := s.proc.Stdout.Read(buf[begun:cap(buf)])
		buf = buf[:begun+n]
		if n > 0 {
			s.attempt.Progressed()
		}
		if err != nil {
			return piece{buf, err}, nil
		}
		if i := bytes.LastIndexByte(buf[begun:], '\n'); i >= 0 {
			end := begun + i + 1
			return piece{buf[:end], nil}, append(rest[:0], buf[end:]...)
		}
		if most := s.attempt.Buffer / 2; int64(len(buf)) > most {
			return piece{nil, &program.UserError{
				Program: s.name,
				Message: fmt.Sprintf("it prints a line longer than %d bytes; the limit depends on the executor's memory (--memory)", most),
			}}, nil
		}
	}
}

// exchange hands output to take while input runs in another goroutine. It returns when input has
// returned and, with toEnd, output has ended. After an error the process is dead.
func (s *stream) exchange(input func() error, toEnd bool, take func(lines []byte) error) error {
	written := make(chan error, 1)
	var writer sync.WaitGroup
	writer.Go(func() { written <- input() })
	err := s.receive(written, toEnd, take)
	if err != nil {
		s.kill()
		writer.Wait() // input uses what belongs to the caller
	}
	return err
}

// receive is the part of exchange in the caller's goroutine; written receives the result of the
// other part. A process may stop reading its input: its exit status says whether that is an error.
func (s *stream) receive(written <-chan error, toEnd bool, take func(lines []byte) error) error {
	for written != nil || toEnd && !s.silent {
		select {
		case err := <-written:
			written = nil
			if errors.Is(err, syscall.EPIPE) {
				s.deaf = true
			} else if err != nil {
				return s.cause(err)
			}
		case p := <-s.incoming:
			if err := take(p.lines); err != nil {
				return s.cause(err)
			}
			switch {
			case p.err == nil:
				s.free <- p.lines
			case errors.Is(p.err, io.EOF):
				s.silent = true
			default:
				return s.cause(p.err)
			}
		case <-s.gone:
			return s.cause(program.ErrKilled)
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	}
	return nil
}

// ended reports whether the process has ended without reading all its input.
func (s *stream) ended() bool {
	if !s.deaf {
		return false
	}
	select {
	case <-s.proc.Died():
		return true
	default:
		return false
	}
}

// finish ends the input, takes the rest of the output, and waits for the process to end. It returns
// the fault of the process, if there is one.
func (s *stream) finish(take func(lines []byte) error) error {
	defer s.forget()
	if err := s.exchange(func() error { return process.IgnoreClosed(s.proc.Stdin.Close()) }, true, take); err != nil {
		return err
	}
	select {
	case <-s.proc.Exited():
	case <-s.gone:
	case <-s.ctx.Done():
	}
	return s.cause(s.fault())
}

// shellFoundNothing are the exit statuses by which a shell says that a program does not exist, or
// can't run.
var shellFoundNothing = []int{126, 127}

// fault returns what the end of the process says about the program.
func (s *stream) fault() error {
	select {
	case <-s.proc.Exited():
	default:
		return program.ErrKilled // or the attempt has ended, which cause then returns
	}
	if err := s.reporter.fault(s.name); err != nil {
		return err
	}
	end := s.proc.State()
	if end.Success() || end.Exited() && !s.program.exitIsFailure {
		return nil
	}
	message := "it ended with " + s.proc.Exit()
	if end.ExitCode() == 1 && s.proc.LastLines() == "" {
		message += " and wrote nothing to standard error; if that only means that it found nothing, as with grep, use " +
			"-p " + paramExitIsFailure + "=false"
	}
	user := program.Died(s.name, s.proc, message)
	user.Final = slices.Contains(shellFoundNothing, end.ExitCode())
	return user
}

// forget kills the process and drops it from the running ones.
func (s *stream) forget() {
	s.kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = slices.DeleteFunc(s.running, func(other *stream) bool { return other == s })
}

// cause returns why err happened: the end of the attempt, if it has ended, rather than the death of
// the process, which follows from that.
func (g *streams) cause(err error) error {
	if cause := context.Cause(g.ctx); cause != nil {
		return cause
	}
	select {
	case <-g.killed:
		return program.ErrKilled
	default:
		return err
	}
}
