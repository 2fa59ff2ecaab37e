package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// usage is what something took.
type usage struct {
	wall time.Duration
	cpu  time.Duration // of all its processes
	// peak is the most memory that its processes had resident at a time, in bytes. Pages that
	// several of them share count for each.
	peak int64
}

// command is a process to run.
type command struct {
	name   string
	args   []string
	env    []string // added to ours
	stdout string   // file; empty: what it prints is dropped, unless it fails
}

// measure runs a process to its end. One that fails is an error, with what it said.
func (b *bench) measure(ctx context.Context, c command) (usage, error) {
	_, u, err := b.output(ctx, c)
	return u, err
}

// output is measure that returns the standard output, if that doesn't go to a file.
func (b *bench) output(ctx context.Context, c command) (text []byte, u usage, err error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(c.name, c.args...)
	cmd.Dir, cmd.Env = b.folder, append(os.Environ(), c.env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if c.stdout != "" {
		f, createErr := os.Create(c.stdout)
		if createErr != nil {
			return nil, u, createErr
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		cmd.Stdout = f
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // by its session all that it starts is known
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, u, err
	}
	stop := context.AfterFunc(ctx, func() { killGroup(cmd.Process.Pid) })
	defer stop()
	watch := watchMemory(cmd.Process.Pid)
	err = cmd.Wait()
	u.wall = time.Since(begun)
	u.peak = watch.end()
	if rusage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.cpu = time.Duration(rusage.Utime.Nano() + rusage.Stime.Nano())
	}
	if err != nil {
		err = fmt.Errorf("%s %q: %w\n%s%s", c.name, c.args, errors.Join(err, ctx.Err()), tail(stdout.Bytes()), tail(stderr.Bytes()))
	}
	return stdout.Bytes(), u, err
}

// killGroup ends a process that leads a session, and its group.
func killGroup(pid int) {
	_ = syscall.Kill(-pid, syscall.SIGKILL) // it may have ended
}

// tail is the end of what a process said.
func tail(text []byte) []byte {
	const most = 2 << 10
	return text[max(0, len(text)-most):]
}

// memoryWatch looks from time to time how much memory the processes of sessions have together,
// and, if there is only one, more often, how much its first process has had at most.
type memoryWatch struct {
	stop chan struct{}
	wg   sync.WaitGroup
	peak int64 // valid after end
}

const (
	leaderInterval = 10 * time.Millisecond // between two looks at a session's first process
	memoryInterval = 10                    // every so many of these at all: that reads the state of every process there is
)

func watchMemory(sessions ...int) *memoryWatch {
	w := &memoryWatch{stop: make(chan struct{})}
	w.wg.Go(func() {
		tick := time.NewTicker(leaderInterval)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-w.stop:
				return
			case <-tick.C:
				w.look(sessions, n%memoryInterval == 0)
			}
		}
	})
	return w
}

func (w *memoryWatch) look(sessions []int, all bool) {
	if len(sessions) == 1 {
		w.peak = max(w.peak, highWater(sessions[0]))
	}
	if !all {
		return
	}
	var now int64
	for _, p := range processesOf(sessions) {
		now += p.resident
	}
	w.peak = max(w.peak, now)
}

// end returns the peak.
func (w *memoryWatch) end() int64 {
	close(w.stop)
	w.wg.Wait()
	return w.peak
}
