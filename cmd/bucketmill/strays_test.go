package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketmill/bucketmill/test/testservices"
)

// leavingProgram is a Python job with a child in its own session, and so in its own group. It
// reports the child, and continues with the inserted code.
const leavingProgram = `import os, subprocess, time

def map_fn(key, value):
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    with open(%q, "a") as f:
        f.write("%%d %%d\n" %% (os.getpid(), child.pid))
    %s
    yield (value, 1)

def reduce_fn(key, values):
    yield (key, sum(values))
`

func TestChildThatLeftItsGroupEndsWithItsTask(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": "to be\n"})
	pids, program := filepath.Join(folder, "pids"), filepath.Join(folder, "leaving.py")
	writeFile(t, program, fmt.Sprintf(leavingProgram, pids, "pass"))
	mustRun(t, folder+"/out", program, "-i", folder+"/in.txt", "-o", folder+"/out")
	checkGone(t, readPIDs(t, pids, 2))
}

// Programs run in their own folder, where the user's relative paths lead elsewhere.
func TestScratchMayBeRelative(t *testing.T) {
	folder := writeFiles(t, map[string]string{"in.txt": "to be\n", "job.py": "def map_fn(value):\n    yield (value, 1)\n"})
	t.Chdir(folder)
	mustRun(t, folder+"/out", folder+"/job.py", "-i", folder+"/in.txt", "-o", folder+"/out", "-r", "0", "--scratch", "scratch")
	checkEmpty(t, folder+"/scratch")
}

// A killed executor can't end what its programs started; the next one on the machine does.
func TestProcessesOfTheDeadAreEnded(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": "to be\n"})
	pids, program := filepath.Join(folder, "pids"), filepath.Join(folder, "leaving.py")
	writeFile(t, program, fmt.Sprintf(leavingProgram, pids, "time.sleep(1000)"))
	scratch := filepath.Join(folder, "scratch")
	p := startProcess(t, nil, "run", program, "-i", folder+"/in.txt", "-o", folder+"/out", "--scratch", scratch)
	running := readPIDs(t, pids, 2)
	p.signal(os.Kill)
	p.wait(patience)
	mustRun(t, folder+"/other", "wordcount", "-i", folder+"/in.txt", "-o", folder+"/other", "--scratch", scratch)
	checkGone(t, running)
	checkEmpty(t, scratch)
}

// The watcher of a killed executor ends what its programs started, and removes the scratch folder,
// at once.
func TestWatcherClearsUpAfterAKilledExecutor(t *testing.T) {
	t.Parallel()
	server := testservices.NewRedis(t)
	scratch := t.TempDir()
	p := startProcess(t, nil, "executor", "--redis", server.URL, "--store", t.TempDir(), "--scratch", scratch)
	var home string
	eventually(t, "the executor's scratch folder", func() bool {
		found, err := filepath.Glob(filepath.Join(scratch, "bucketmill-*", "executor"))
		must(t, err)
		if len(found) == 1 {
			home = found[0]
		}
		return home != ""
	})
	stray := exec.Command("sleep", "1000")
	stray.Env = []string{"HOME=" + home}
	stray.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(t, stray.Start())
	p.signal(os.Kill)
	p.wait(patience)
	if err := stray.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("the stray: %v", err)
	}
	eventually(t, "an empty scratch folder", func() bool {
		left, err := os.ReadDir(scratch)
		must(t, err)
		return len(left) == 0
	})
}

// An executor that ends normally ends its watcher, too, which receives the same signal.
func TestWatcherEndsWithItsExecutor(t *testing.T) {
	t.Parallel()
	server := testservices.NewRedis(t)
	scratch := t.TempDir()
	p := startProcess(t, nil, "executor", "--redis", server.URL, "--store", t.TempDir(), "--scratch", scratch)
	var watcher int
	eventually(t, "a watcher that waits", func() bool {
		commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
		must(t, err)
		for _, path := range commands {
			text, err := os.ReadFile(path)
			if err == nil && strings.Contains(string(text), watchCommand+"\x00"+scratch) {
				watcher, err = strconv.Atoi(filepath.Base(filepath.Dir(path)))
				must(t, err)
			}
		}
		return watcher != 0 && strings.Contains(p.stderr.String(), "executor is ready")
	})
	p.signal(syscall.SIGTERM)
	if state := p.wait(patience); state.ExitCode() != 0 {
		t.Errorf("it ended with %v: %s", state, p.stderr.String())
	}
	checkGone(t, []int{watcher})
	checkEmpty(t, scratch)
}
