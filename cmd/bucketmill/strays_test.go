package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// leavingProgram is a Python job with a child in a session, and so a group, of its own. It says
// so, and goes on as what is put in says.
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

// Programs run in a folder of their own, where a path as the user gave it leads elsewhere.
func TestScratchMayBeRelative(t *testing.T) {
	folder := writeFiles(t, map[string]string{"in.txt": "to be\n", "job.py": "def map_fn(value):\n    yield (value, 1)\n"})
	t.Chdir(folder)
	mustRun(t, folder+"/out", folder+"/job.py", "-i", folder+"/in.txt", "-o", folder+"/out", "-r", "0", "--scratch", "scratch")
	checkEmpty(t, folder+"/scratch")
}

// A killed executor can't end what its programs have started; the next one on its machine does.
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
