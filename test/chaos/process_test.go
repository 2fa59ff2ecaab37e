package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bucketmill/bucketmill/test/chaos/proxy"
)

// service is one bucketmill process, which is restarted whenever it ends, with its own proxies to
// Redis and the store.
type service struct {
	name    string
	args    []string
	env     []string
	log     string // the file with the output of all its runs
	scratch string // of an executor
	listen  string // HOST:PORT of its API or health checks
	redis   *proxy.Proxy
	store   *proxy.Proxy
	died    func(s *service, pid int, how string) // called when the process ends by itself

	mu       sync.Mutex
	cmd      *exec.Cmd     // guarded by mu, like the fields below; nil if no process is running
	exited   chan struct{} // closed when cmd has ended
	expected bool          // the test is ending the process
	lives    int
}

// start starts the process unless it is running.
func (s *service) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return nil
	}
	binary, err := build()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own descriptor
	cmd := exec.Command(binary, s.args...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stdout, cmd.Stderr = log, log
	// The process must not outlive the test, however the test ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.cmd, s.exited, s.expected = cmd, make(chan struct{}), false
	s.lives++
	go s.wait(cmd, s.exited)
	return nil
}

func (s *service) wait(cmd *exec.Cmd, exited chan struct{}) {
	err := cmd.Wait()
	s.mu.Lock()
	expected := s.expected
	s.cmd = nil
	s.mu.Unlock()
	close(exited)
	if !expected {
		s.died(s, cmd.Process.Pid, fmt.Sprintf("%v (%v)", cmd.ProcessState, err))
	}
}

// signal sends a signal to the process, and reports whether the process is running.
func (s *service) signal(sig os.Signal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd != nil && s.cmd.Process.Signal(sig) == nil
}

// stop ends the process by a signal, and kills it if it is still running after the given time. It
// returns nil if the process exited with 0 or by the signal.
func (s *service) stop(sig syscall.Signal, within time.Duration) error {
	s.mu.Lock()
	cmd, exited := s.cmd, s.exited
	s.expected = true
	s.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	select {
	case <-exited:
	case <-time.After(within):
		_ = cmd.Process.Signal(syscall.SIGQUIT) // shows its goroutines in the log
		select {
		case <-exited:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-exited
		}
		return fmt.Errorf("%s did not end within %v of %v", s.name, within, sig)
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && (status.Signaled() && status.Signal() == sig || status.ExitStatus() == 0) {
		return nil
	}
	return fmt.Errorf("%s: %v after %v", s.name, cmd.ProcessState, sig)
}

// logTail returns the end of the service's log.
func (s *service) logTail(lines int) string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// ready asks the process whether it is ready.
func (s *service) ready(ctx context.Context) error {
	_, err := s.get(ctx, "/readyz")
	return err
}

// get sends a GET to the process.
func (s *service) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.listen+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", s.name, resp.Status)
	}
	return io.ReadAll(resp.Body)
}
