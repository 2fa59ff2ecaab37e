package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/test/testservices"
)

// probe is a program of a job that looks for the secrets of its executor and the watcher. It writes
// what it sees to a file.
const probe = `import os, sys

SECRETS = (b"hush-environment", b"hush-descriptor")

def look(pid):
    seen = []
    for name in ("environ", "mem", "maps"):
        try:
            with open("/proc/%d/%s" % (pid, name), "rb") as f:
                if name != "mem":
                    f.read()
            seen.append(name)
        except OSError:
            pass
    try:
        os.listdir("/proc/%d/fd" % pid)
        seen.append("fd")
    except OSError:
        pass
    return seen

def found():
    executor = os.getppid()
    others = {"executor": executor}
    for name in os.listdir("/proc"):
        try:
            with open("/proc/%s/cmdline" % name, "rb") as f:
                if b"watch-scratch" in f.read() and open("/proc/%s/stat" % name).read().rsplit(")", 1)[1].split()[1] == str(executor):
                    others["watcher"] = int(name)
        except OSError:
            pass
    for who, pid in sorted(others.items()):
        for what in look(pid):
            yield "%s of the %s can be read" % (what, who)
    for secret in SECRETS:
        if any(secret.decode() in value for value in os.environ.values()):
            yield "the environment holds %s" % secret.decode()
    for fd in range(3, 256):
        try:
            target = os.readlink("/proc/self/fd/%d" % fd)
        except OSError:
            continue
        if "inherited" in target:
            yield "descriptor %d is %s" % (fd, target)
    yield "inspected " + " and ".join(sorted(others))

def tell():
    with open(sys.argv[-1] if __name__ == "__main__" else %q, "w") as f:
        f.write("\n".join(found()))

def map_fn(value):
    tell()
    yield (value, 1)

if __name__ == "__main__":
    tell()
    sys.stdout.write(sys.stdin.read())
`

// unprivileged returns the user as which processes run here: the user of the tests, or another if
// that is the superuser, who can inspect every process.
func unprivileged(cmd *exec.Cmd, uid uint32) {
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}}
	}
}

// openFolder makes a folder that every user of the machine can read and write.
func openFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/tmp", "bucketmill-shield-test-")
	must(t, err)
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	must(t, os.Chmod(folder, 0o777))
	return folder
}

// openBinary copies the program to a place that every user can read.
func openBinary(t *testing.T, folder string) string {
	t.Helper()
	from, err := os.Open(bucketmillBinary(t))
	must(t, err)
	defer func() { must(t, from.Close()) }()
	path := filepath.Join(folder, "bucketmill")
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	must(t, err)
	_, err = io.Copy(to, from)
	must(t, err)
	must(t, to.Close())
	return path
}

// writeOpen writes a file that every user can read.
func writeOpen(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o644))
	must(t, os.Chmod(path, 0o644))
}

// submitToCluster submits a job to the controllers of a Redis, and returns a function that returns
// the job's state.
func submitToCluster(t *testing.T, redis string, spec job.Spec) (now func() state.Job) {
	t.Helper()
	store, err := state.Connect(t.Context(), redis, state.DefaultNamespace)
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	id := job.NewID()
	_, err = controller.Submit(t.Context(), store, id, spec)
	must(t, err)
	return func() state.Job {
		job, err := store.Job(t.Context(), id)
		must(t, err)
		return job
	}
}

// runOnCluster submits a job and waits for its end.
func runOnCluster(t *testing.T, redis string, spec job.Spec) {
	t.Helper()
	j := submitToCluster(t, redis, spec)
	eventually(t, "end of the job", func() bool {
		now := j()
		if now.State == job.Failed {
			t.Fatalf("the job failed: %+v", now.Error)
		}
		return now.State == job.Completed
	})
}

// A job's program can't see its executor's credentials.
func TestProgramsCannotLookIntoTheirExecutor(t *testing.T) {
	t.Parallel()
	const nobody = 41000
	folder := openFolder(t)
	binary := openBinary(t, folder)
	inherited, err := os.Create(filepath.Join(folder, "inherited"))
	must(t, err)
	defer func() { must(t, inherited.Close()) }()
	writeOpen(t, filepath.Join(folder, "in.txt"), "to be\n")
	start := func(t *testing.T, args ...string) *serverProcess {
		t.Helper()
		return startCommand(t, func(cmd *exec.Cmd) {
			cmd.Path = binary
			cmd.Env = append(cmd.Env, "AWS_ACCESS_KEY_ID=hush-environment", "AWS_SECRET_ACCESS_KEY=hush-environment", "BUCKETMILL_TOKEN=hush-environment",
				"HOME="+folder, "TMPDIR="+folder)
			cmd.ExtraFiles = []*os.File{inherited}
			cmd.Dir = folder
			unprivileged(cmd, nobody)
		}, args...)
	}
	// program writes the probe, and returns its file and the file of its report.
	program := func(t *testing.T, name string) (file, told string) {
		t.Helper()
		file, told = filepath.Join(folder, name+".py"), filepath.Join(folder, name+".told")
		writeOpen(t, file, strings.Replace(probe, "%q", strconv.Quote(told), 1))
		return file, told
	}
	check := func(t *testing.T, told, want string) {
		t.Helper()
		text, err := os.ReadFile(told)
		must(t, err)
		if string(text) != want {
			t.Errorf("the program reports:\n%s\nwant %q", text, want)
		}
	}
	local := []string{"-i", folder + "/in.txt", "-r", "0", "--scratch", folder + "/scratch"}
	t.Run("run, Python", func(t *testing.T) {
		file, told := program(t, "python")
		p := start(t, append([]string{"run", file, "-o", folder + "/python-out"}, local...)...)
		if state := p.wait(patience); state.ExitCode() != 0 {
			t.Fatalf("%v\n%s", state, p.stderr.String())
		}
		check(t, told, "inspected executor")
	})
	t.Run("run, streaming", func(t *testing.T) {
		file, told := program(t, "streaming")
		p := start(t, append([]string{"run", "--mapper", fmt.Sprintf("python3 %s %s", file, told), "-o", folder + "/streaming-out"}, local...)...)
		if state := p.wait(patience); state.ExitCode() != 0 {
			t.Fatalf("%v\n%s", state, p.stderr.String())
		}
		check(t, told, "inspected executor")
	})
	t.Run("executor", func(t *testing.T) {
		server := testservices.NewRedis(t)
		store := "file://" + folder + "/work"
		must(t, os.Mkdir(folder+"/work", 0o777))
		must(t, os.Chmod(folder+"/work", 0o777))
		start(t, "controller", "--redis", server.URL, "--store", store, "--listen", "127.0.0.1:0")
		start(t, "executor", "--redis", server.URL, "--store", store, "--scratch", folder+"/executor-scratch", "--slots", "1", "--memory", "64MiB")
		file, told := program(t, "cluster")
		runOnCluster(t, server.URL, job.Spec{
			Kind: job.KindStreaming, Mapper: fmt.Sprintf("python3 %s %s", file, told),
			Input: job.Inputs("file://" + folder + "/in.txt"), Output: "file://" + folder + "/cluster-out",
		})
		check(t, told, "inspected executor and watcher")
	})
}
