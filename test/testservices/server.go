package testservices

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	readyDeadline = 60 * time.Second      // from a server's start to its first right answer, on a busy machine
	readyInterval = 20 * time.Millisecond // between two questions to a starting server
	askDeadline   = 2 * time.Second       // for one question
	stopDeadline  = 20 * time.Second      // from SIGTERM to SIGKILL
	portAttempts  = 5                     // another process may take a free port before the server does
	logTail       = 2 << 10               // bytes of a server's log in an error
	logName       = "server.log"
)

// errExited reports that a server ended while it was starting, for example because its port was
// taken.
var errExited = errors.New("exited")

// A server is one server program: its port and its folder, which stay the same, and its current
// process, if any.
type server struct {
	name   string // for errors
	addr   string // 127.0.0.1:PORT
	dir    string // its data and log
	shared bool   // other tests use it, too: it must not be stopped
	guard  *guard

	// command returns the command of the server's process for an address and a folder.
	command func(addr, dir string) *exec.Cmd
	// prepare, if not nil, prepares the folder for the first process.
	prepare func(addr, dir string) error
	// ready asks once whether the process answers. It must notice if another process has taken the
	// port.
	ready func(ctx context.Context, addr string, pid int) error

	mu      sync.Mutex
	process *exec.Cmd     // nil if none is running
	exited  chan struct{} // closed when process has ended
}

// open gives s a folder, a guard and a free port, and starts it.
func (s *server) open() error {
	dir, err := os.MkdirTemp("", "bucketmill-"+s.name+"-")
	if err != nil {
		return err
	}
	s.dir = dir
	if s.guard, err = newGuard(dir); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	for range portAttempts {
		if s.addr, err = freeAddr(); err != nil {
			break
		}
		if s.prepare != nil {
			if err = s.prepare(s.addr, s.dir); err != nil {
				break
			}
		}
		if err = s.start(); err == nil {
			return nil
		}
		if !errors.Is(err, errExited) {
			break
		}
	}
	return errors.Join(err, s.close())
}

// close ends the process and removes the folder.
func (s *server) close() error {
	return errors.Join(s.end(syscall.SIGKILL), s.guard.close())
}

// start runs the server's process and returns when the server answers.
func (s *server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return fmt.Errorf("%s runs already", s.name)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, logName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own descriptor
	cmd := s.command(s.addr, s.dir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // a caller that expects the server to run sees the log
	}()
	s.process, s.exited = cmd, exited
	if err := errors.Join(s.guard.watch(cmd.Process.Pid), s.awaitReady()); err != nil {
		return errors.Join(fmt.Errorf("start %s on %s: %w; its log ends:\n%s", s.name, s.addr, err, s.tail()),
			s.endLocked(syscall.SIGKILL))
	}
	return nil
}

// awaitReady asks the server until ready is satisfied.
func (s *server) awaitReady() error {
	deadline := time.NewTimer(readyDeadline)
	defer deadline.Stop()
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), askDeadline)
		err := s.ready(ctx, s.addr, s.process.Process.Pid)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("%w: %v", errExited, s.process.ProcessState)
		case <-deadline.C:
			return fmt.Errorf("not ready after %v: %w", readyDeadline, err)
		case <-tick.C:
		}
	}
}

// end signals the process, if one is running, and waits for its end.
func (s *server) end(sig os.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endLocked(sig)
}

func (s *server) endLocked(sig os.Signal) error {
	if s.process == nil {
		return nil
	}
	if err := s.process.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", s.name, err)
	}
	select {
	case <-s.exited:
	case <-time.After(stopDeadline):
		if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("kill %s: %w", s.name, err)
		}
		<-s.exited
	}
	s.process = nil
	return s.guard.release()
}

// tail returns the end of the server's log.
func (s *server) tail() []byte {
	log, err := os.ReadFile(filepath.Join(s.dir, logName))
	if err != nil {
		return []byte(err.Error())
	}
	return log[max(0, len(log)-logTail):]
}

// Stop asks the server to end in good order, and waits for its end. Shared servers refuse it.
func (s *server) Stop(t testing.TB) {
	t.Helper()
	s.change(t, func() error { return s.end(syscall.SIGTERM) })
}

// Kill ends the server like a crash, with SIGKILL, and waits for its end. Shared servers refuse it.
func (s *server) Kill(t testing.TB) {
	t.Helper()
	s.change(t, func() error { return s.end(syscall.SIGKILL) })
}

// Restart starts a stopped or killed server at its old address and with its old folder, and returns
// when it answers. It kills a running server first. Shared servers refuse it.
func (s *server) Restart(t testing.TB) {
	t.Helper()
	s.change(t, func() error {
		if err := s.end(syscall.SIGKILL); err != nil {
			return err
		}
		return s.start()
	})
}

// Suspend stops the server's execution with its connections open, like a machine that swaps. Shared
// servers refuse it.
func (s *server) Suspend(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGSTOP) }

// Resume ends Suspend.
func (s *server) Resume(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGCONT) }

func (s *server) signal(t testing.TB, sig os.Signal) {
	t.Helper()
	s.change(t, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.process == nil {
			return fmt.Errorf("%s does not run", s.name)
		}
		return s.process.Process.Signal(sig)
	})
}

// change does something to the server that would break other tests. It refuses shared servers.
func (s *server) change(t testing.TB, do func() error) {
	t.Helper()
	if s.shared {
		t.Fatalf("this %s is shared with other tests: take one from testservices.New… to stop it", s.name)
	}
	if err := do(); err != nil {
		t.Fatal(err)
	}
}

// freeAddr returns a loopback address on which no process was listening a moment ago.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
