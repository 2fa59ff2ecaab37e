package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long tests wait for an event that must happen: the machine may be busy.
const patience = 60 * time.Second

// serverProcess is a running bucketmill with its own temporary folder.
type serverProcess struct {
	t      *testing.T
	cmd    *exec.Cmd
	temp   string // its TMPDIR
	stdout lockedBuffer
	stderr lockedBuffer
	exited chan struct{}
	err    error // of Wait; valid once exited is closed
}

// lockedBuffer is a buffer that may be read while it is written to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// startProcess starts the built program. env is added to the environment.
func startProcess(t *testing.T, env []string, args ...string) *serverProcess {
	t.Helper()
	return startCommand(t, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, env...) }, args...)
}

// startCommand starts the built program after adjust has changed the command.
func startCommand(t *testing.T, adjust func(*exec.Cmd), args ...string) *serverProcess {
	t.Helper()
	p := &serverProcess{t: t, temp: t.TempDir(), exited: make(chan struct{})}
	p.cmd = exec.Command(bucketmillBinary(t), args...)
	p.cmd.Env = append(os.Environ(), "TMPDIR="+p.temp)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	adjust(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // the process has ended, unless the test failed
		<-p.exited
	})
	return p
}

func (p *serverProcess) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%v: %v\n%s", s, err, p.stderr.String())
	}
}

// wait returns how the process ended. It fails the test if that takes too long.
func (p *serverProcess) wait(within time.Duration) *os.ProcessState {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(within):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // makes the process print its goroutines
		<-p.exited
		p.t.Fatalf("did not end within %v\n%s", within, p.stderr.String())
	}
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		p.t.Fatal(p.err)
	}
	return p.cmd.ProcessState
}

// eventually polls ok until it returns true, but not longer than patience.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, patience)
		}
		<-poll.C
	}
}

// readPIDs waits for a file with process ids in it.
func readPIDs(t *testing.T, file string, want int) (pids []int) {
	t.Helper()
	eventually(t, "process ids in "+file, func() bool {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		pids = pids[:0]
		for _, field := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		return len(pids) >= want
	})
	return pids
}

// checkGone checks that processes have ended. A zombie counts as ended.
func checkGone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		eventually(t, "end of process "+strconv.Itoa(pid), func() bool {
			stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
			if err != nil {
				return true
			}
			_, state, _ := strings.Cut(string(stat), ") ")
			return strings.HasPrefix(state, "Z")
		})
	}
}

// signalIfAlive sends a signal to a process that may have ended.
func (p *serverProcess) signalIfAlive(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// killAll kills processes that the program of a test started.
func killAll(t *testing.T, pids []int) {
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
	}
}

// containsPhase reports whether progress lines mention a phase.
func containsPhase(stderr, phase string) bool {
	for line := range strings.Lines(stderr) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == phase {
			return true
		}
	}
	return false
}
