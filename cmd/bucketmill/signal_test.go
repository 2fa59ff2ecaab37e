package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/test/testservices"
)

// stuckProgram is a Python job that hangs in a function, with a child, and reports this.
const stuckProgram = `import os, subprocess, time

def hang(where):
    if where != %q:
        return
    child = subprocess.Popen(["sleep", "1000"])
    with open(%q, "a") as f:
        f.write("%%d %%d\n" %% (os.getpid(), child.pid))
    time.sleep(1000)

def map_fn(key, value):
    hang("map_fn")
    for word in value.split():
        yield (word, 1)

def reduce_fn(key, values):
    hang("reduce_fn")
    yield (key, sum(values))
`

// promptly is how soon an interrupted command must end: 2 seconds, and more in case the machine is
// busy.
const promptly = 5 * time.Second

func TestInterruptWhileAProgramRuns(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"map_fn", "reduce_fn"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			folder := writeFiles(t, map[string]string{"in.txt": "to be or not to be\n"})
			pids := filepath.Join(folder, "pids")
			program := filepath.Join(folder, "stuck.py")
			writeFile(t, program, fmt.Sprintf(stuckProgram, where, pids))
			before := len(tree(t, folder))

			p := startProcess(t, nil, "run", program, "-i", folder+"/in.txt", "-o", folder+"/deep/out", "-r", "1")
			running := readPIDs(t, pids, 2)
			p.signal(os.Interrupt)
			if code := p.wait(promptly).ExitCode(); code != exitInterrupted {
				t.Errorf("exit code %d\n%s", code, p.stderr.String())
			}
			checkGone(t, running)
			checkComplaint(t, result{stdout: p.stdout.String(), stderr: p.stderr.String()}, "interrupted")
			checkEmpty(t, p.temp)
			if after := tree(t, folder); len(after) != before+1 { // the file with process ids
				t.Errorf("left behind: %q", after)
			}
		})
	}
}

func TestInterruptBuiltin(t *testing.T) {
	t.Parallel()
	for _, phase := range []string{"map", "reduce"} {
		folder := t.TempDir()
		p := interruptInPhase(t, folder, phase)
		if code := p.wait(promptly).ExitCode(); code != exitInterrupted {
			t.Errorf("in %s: exit code %d\n%s", phase, code, p.stderr.String())
		}
		checkEmpty(t, p.temp)
		if after := tree(t, folder); len(after) != 1 {
			t.Errorf("in %s: left behind: %q", phase, after)
		}
	}
}

// interruptInPhase starts a sort and sends it SIGTERM when it prints that it is in a phase. If the
// sort ends before, it tries again with more input.
func interruptInPhase(t *testing.T, folder, phase string) *serverProcess {
	t.Helper()
	for size := 32 << 20; size <= 512<<20; size *= 2 {
		writeFile(t, filepath.Join(folder, "in.txt"), sampleText(t, size, 3))
		p := startProcess(t, nil, "run", "sort", "-i", folder+"/in.txt", "-o", folder+"/out", "-r", "1",
			"--memory", "64MiB", "--executors", "1", "--overwrite")
		ended := false
		eventually(t, "phase "+phase, func() bool {
			select {
			case <-p.exited:
				ended = true
			default:
			}
			return ended || containsPhase(p.stderr.String(), phase)
		})
		p.signalIfAlive(syscall.SIGTERM)
		if !ended && p.wait(promptly).ExitCode() != exitDone {
			return p
		}
		if err := os.RemoveAll(filepath.Join(folder, "out")); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("no sort was slow enough to be interrupted in %s", phase)
	return nil
}

// After the first signal the command waits for the clean-up, which here hangs with Redis. The
// second signal ends it.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": "to be\n"})
	pids := filepath.Join(folder, "pids")
	program := filepath.Join(folder, "stuck.py")
	writeFile(t, program, fmt.Sprintf(stuckProgram, "map_fn", pids))
	redis := testservices.NewRedis(t)
	p := startProcess(t, nil, "run", program, "-i", folder+"/in.txt", "-o", folder+"/out", "-r", "1", "--redis", redis.URL)
	running := readPIDs(t, pids, 2)
	t.Cleanup(func() { killAll(t, running) }) // like SIGKILL, the second signal leaves them

	redis.Kill(t)
	p.signal(os.Interrupt)
	eventually(t, "end after a second signal", func() bool {
		p.signalIfAlive(os.Interrupt)
		select {
		case <-p.exited:
			return true
		default:
			return false
		}
	})
	status, ok := p.wait(promptly).Sys().(syscall.WaitStatus)
	if !ok || (status.ExitStatus() != exitInterrupted && status.Signal() != syscall.SIGINT) {
		t.Errorf("ended with %v\n%s", p.cmd.ProcessState, p.stderr.String())
	}
}
