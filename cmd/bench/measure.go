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

// usage is the time and memory that a contender took.
type usage struct {
	wall time.Duration
	cpu  time.Duration // of all its processes
	// peak is the largest total of resident memory of its processes, in bytes. A page that several
	// processes share counts once for each.
	peak int64
}

// command is a process to run.
type command struct {
	name   string
	args   []string
	env    []string // added to the environment of bench
	stdout string   // file; if empty, the output is returned
}

// measure runs a process to its end. If the process fails, the error contains the end of its
// output.
func (b *bench) measure(ctx context.Context, c command) (usage, error) {
	_, u, err := b.output(ctx, c)
	return u, err
}

// output is measure that also returns the standard output, unless that goes to a file.
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
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // the session identifies its processes
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

// killGroup kills the process group of a session's first process.
func killGroup(pid int) {
	_ = syscall.Kill(-pid, syscall.SIGKILL) // the group may have ended
}

// tail returns the end of a process's output.
func tail(text []byte) []byte {
	const most = 2 << 10
	return text[max(0, len(text)-most):]
}

// memoryWatch samples the total resident memory of the processes of sessions. If there is only one
// session, it also samples, more often, the peak memory of its first process.
type memoryWatch struct {
	stop chan struct{}
	wg   sync.WaitGroup
	peak int64 // valid after end
}

const (
	leaderInterval = 10 * time.Millisecond // between two samples of a session's first process
	memoryInterval = 10                    // in leaderIntervals, between two samples of all: these read the state of every process on the machine
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
				w.sample(sessions, n%memoryInterval == 0)
			}
		}
	})
	return w
}

func (w *memoryWatch) sample(sessions []int, all bool) {
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

// end stops the watch and returns the peak.
func (w *memoryWatch) end() int64 {
	close(w.stop)
	w.wg.Wait()
	return w.peak
}
