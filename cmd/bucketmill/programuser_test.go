package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/test/testservices"
)

// neighbour is a mapper that waits for another one to run beside it, and then tries what it must
// not be able to do. %q is the folder in which they meet.
const neighbour = `import json, os, resource, subprocess, sys, time

MEET = %q

def tries(what):
    try:
        what()
        return True
    except OSError:
        return False

child = subprocess.Popen(["sleep", "1000"], start_new_session=True, stdout=subprocess.DEVNULL)
moved = subprocess.Popen(["sleep", "1000"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={}, cwd="/")
os.makedirs("closed/deep")
open("closed/deep/secret", "w").close()
open("secret", "w").close()
os.chmod("closed", 0)
me = {"pid": os.getpid(), "child": child.pid, "moved": moved.pid, "cwd": os.getcwd()}
with open(MEET + "/.%%d" %% os.getpid(), "w") as f:
    json.dump(me, f)
os.rename(MEET + "/.%%d" %% os.getpid(), MEET + "/here.%%d" %% os.getpid())
deadline = time.time() + 60
while time.time() < deadline and len([n for n in os.listdir(MEET) if n.startswith("here.")]) < 2:
    time.sleep(0.01)
others = []
for name in os.listdir(MEET):
    if name.startswith("here."):
        with open(MEET + "/" + name) as f:
            other = json.load(f)
        if other["pid"] != me["pid"]:
            others.append(other)
other = others[0]
executor = os.getppid()
me["uid"], me["gid"], me["groups"] = os.getresuid(), os.getresgid(), os.getgroups()
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
me["caps"] = [status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")]
me["new_privs"] = status["NoNewPrivs"].strip()
me["data"] = resource.getrlimit(resource.RLIMIT_DATA)[0]
me["oom"] = open("/proc/self/oom_score_adj").read().strip()
me["can"] = [name for name, what in {
    "read a neighbour's file": lambda: open(other["cwd"] + "/secret"),
    "list a neighbour's folder": lambda: os.listdir(other["cwd"]),
    "write to a neighbour's folder": lambda: open(other["cwd"] + "/mine", "w"),
    "end a neighbour": lambda: os.kill(other["pid"], 0),
    "read a neighbour's environment": lambda: open("/proc/%%d/environ" %% other["pid"]).read(),
    "list the attempts": lambda: os.listdir("../.."),
    "write beside its folder": lambda: open("../mine", "w"),
    "end its executor": lambda: os.kill(executor, 0),
    "read its executor's environment": lambda: open("/proc/%%d/environ" %% executor).read(),
    "read its executor's memory": lambda: open("/proc/%%d/mem" %% executor, "rb"),
    "become the superuser": lambda: os.setuid(0),
    "write to a program file": lambda: open(os.path.realpath("shipped.txt"), "w"),
    "read a program file": lambda: open("shipped.txt").read(),
    "write to its folder": lambda: open("mine", "w"),
}.items() if tries(what)]
with open(MEET + "/told.%%d" %% me["pid"], "w") as f:
    json.dump(me, f)
while time.time() < deadline and len([n for n in os.listdir(MEET) if n.startswith("told.")]) < 2:
    time.sleep(0.01)
sys.stdout.write(sys.stdin.read())
`

// tale is what a neighbour reports.
type tale struct {
	PID, Child       int
	Moved            int // a child with another home
	CWD              string
	UID, GID, Groups []int
	Caps             []string
	NewPrivs         string `json:"new_privs"`
	Data             int64
	OOM              string
	Can              []string
}

// users are the ways in which a process may run programs as other users.
var rightful = map[string]func(*exec.Cmd){
	"the superuser": func(*exec.Cmd) {},
	"a user with capabilities": func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential:  &syscall.Credential{Uid: 41000, Gid: 41000, Groups: []uint32{}},
			AmbientCaps: []uintptr{unix.CAP_CHOWN, unix.CAP_KILL, unix.CAP_SETGID, unix.CAP_SETUID},
		}
	},
}

// Programs of other users can do what they need, but nothing to their executor or to each other.
// Nothing of them outlives their tasks.
func TestProgramUser(t *testing.T) {
	t.Attr("timing", "leases end while processes start")
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test must run as root: it starts processes of other users")
	}
	for name, rights := range rightful {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := openFolder(t)
			binary := openBinary(t, folder)
			meet := filepath.Join(folder, "meet")
			for _, sub := range []string{meet, folder + "/work", folder + "/scratch"} {
				must(t, os.Mkdir(sub, 0o777))
				must(t, os.Chmod(sub, 0o777))
			}
			writeOpen(t, folder+"/a.txt", "to be\n")
			writeOpen(t, folder+"/b.txt", "or not\n")
			server := testservices.NewRedis(t)
			store := "file://" + folder + "/work"
			start := func(args ...string) *serverProcess {
				return startCommand(t, func(cmd *exec.Cmd) {
					cmd.Path, cmd.Dir = binary, folder
					rights(cmd)
				}, args...)
			}
			ctrl := start("controller", "--redis", server.URL, "--store", store, "--listen", "127.0.0.1:0")
			e := start("executor", "--redis", server.URL, "--store", store, "--scratch", folder+"/scratch", "--slots", "2", "--memory", "64MiB",
				"--program-memory", "1GiB", "--program-user", "41100-41101:41200")
			writeOpen(t, folder+"/neighbour.py", fmt.Sprintf(neighbour, meet))
			none := 0
			spec := job.Spec{
				Kind: job.KindStreaming, Mapper: "python3 " + folder + "/neighbour.py", Reducers: &none, Maps: 2,
				Input: job.Inputs("file://"+folder+"/a.txt", "file://"+folder+"/b.txt"), Output: "file://" + folder + "/out",
				ProgramFiles: []job.ProgramFile{ship(t, folder, "shipped.txt", "for all")},
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Log(ctrl.stderr.String(), e.stderr.String())
				}
			})
			runOnCluster(t, server.URL, spec)
			told, err := filepath.Glob(meet + "/told.*")
			must(t, err)
			if len(told) != 2 {
				t.Fatalf("reported: %q\n%s", told, e.stderr.String())
			}
			users, gone := map[int]bool{}, []int{}
			for _, path := range told {
				text, err := os.ReadFile(path)
				must(t, err)
				var it tale
				must(t, json.Unmarshal(text, &it))
				users[it.UID[0]] = true
				gone = append(gone, it.PID, it.Child, it.Moved)
				if fmt.Sprint(it.UID) != fmt.Sprint([]int{it.UID[0], it.UID[0], it.UID[0]}) || fmt.Sprint(it.GID) != "[41200 41200 41200]" || len(it.Groups) > 0 {
					t.Errorf("it ran as %v:%v, in groups %v", it.UID, it.GID, it.Groups)
				}
				if strings.Trim(strings.Join(it.Caps, ""), "0") != "" || it.NewPrivs != "1" || it.Data != 1<<30 || it.OOM != "1000" {
					t.Errorf("capabilities %v, no new privileges %s, limit of data %d, to be killed at %s", it.Caps, it.NewPrivs, it.Data, it.OOM)
				}
				if can := strings.Join(it.Can, ", "); can != "read a program file, write to its folder" {
					t.Errorf("it can %s", can)
				}
			}
			if len(users) != 2 || !users[41100] || !users[41101] {
				t.Errorf("they ran as %v", users)
			}
			checkGone(t, gone)
			attempts, err := filepath.Glob(folder + "/scratch/bucketmill-*/executor/attempts/*")
			must(t, err)
			if len(attempts) > 0 {
				t.Errorf("left: %q", attempts)
			}
			e.signal(syscall.SIGTERM)
			if state := e.wait(patience); state.ExitCode() != 0 {
				t.Errorf("it ended with %v: %s", state, e.stderr.String())
			}
			checkEmpty(t, folder+"/scratch")
		})
	}
}

// ship puts a program's file where an executor finds it.
func ship(t *testing.T, folder, name, text string) job.ProgramFile {
	t.Helper()
	must(t, os.MkdirAll(folder+"/work/sent", 0o777))
	must(t, os.Chmod(folder+"/work/sent", 0o777))
	writeOpen(t, folder+"/work/sent/"+name, text)
	sum := sha256.Sum256([]byte(text))
	return job.ProgramFile{Name: name, Artifact: &job.Artifact{
		Key: strings.TrimPrefix(folder, "/") + "/work/sent/" + name, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text)),
	}}
}

// The processes and files of a killed executor's programs of other users are removed at once.
func TestWatcherClearsUpAfterProgramsOfOtherUsers(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test must run as root: it starts processes of other users")
	}
	for name, rights := range rightful {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := openFolder(t)
			binary := openBinary(t, folder)
			for _, sub := range []string{folder + "/work", folder + "/scratch"} {
				must(t, os.Mkdir(sub, 0o777))
				must(t, os.Chmod(sub, 0o777))
			}
			writeOpen(t, folder+"/a.txt", "to be\n")
			server := testservices.NewRedis(t)
			store := "file://" + folder + "/work"
			start := func(args ...string) *serverProcess {
				return startCommand(t, func(cmd *exec.Cmd) {
					cmd.Path, cmd.Dir = binary, folder
					rights(cmd)
				}, args...)
			}
			start("controller", "--redis", server.URL, "--store", store, "--listen", "127.0.0.1:0")
			e := start("executor", "--redis", server.URL, "--store", store, "--scratch", folder+"/scratch", "--slots", "1", "--memory", "64MiB",
				"--program-user", "41110")
			writeOpen(t, folder+"/stay.py", fmt.Sprintf(`import os, subprocess, time
os.makedirs("closed/deep")
os.chmod("closed", 0)
child = subprocess.Popen(["sleep", "1000"], start_new_session=True, stdout=subprocess.DEVNULL)
with open(%q, "w") as f:
    f.write("%%d %%d" %% (os.getpid(), child.pid))
time.sleep(1000)
`, folder+"/pids"))
			writeOpen(t, folder+"/pids", "")
			must(t, os.Chmod(folder+"/pids", 0o666))
			none := 0
			submitToCluster(t, server.URL, job.Spec{
				Kind: job.KindStreaming, Mapper: "python3 " + folder + "/stay.py", Reducers: &none,
				Input: job.Inputs("file://" + folder + "/a.txt"), Output: "file://" + folder + "/out",
			})
			running := readPIDs(t, folder+"/pids", 2)
			e.signal(os.Kill)
			e.wait(patience)
			checkGone(t, running)
			eventually(t, "an empty scratch folder", func() bool {
				left, err := os.ReadDir(folder + "/scratch")
				must(t, err)
				return len(left) == 0
			})
		})
	}
}

func TestProgramUserIsCheckedAtTheStart(t *testing.T) {
	t.Parallel()
	folder := openFolder(t)
	binary := openBinary(t, folder)
	for _, c := range []struct {
		user string
		says string
	}{
		{"nobody-of-that-name", "there is no user"},
		{"41100:no-group-of-that-name", "there is no group"},
		{"root", "superuser"},
		{"0", "superuser"},
		{"41100:0", "superuser"},
		{"41101-41100", "the last user comes before the first"},
		{"41100-", "is not the number of a user"},
		{"-1", "there is no user"},
		{"41100-41101", "has 2 users for 3 slots"},
		{"40999-41002", "is the user of this process"},
	} {
		p := startCommand(t, func(cmd *exec.Cmd) {
			cmd.Path, cmd.Dir = binary, folder
			if strings.HasPrefix(c.user, "40999") && os.Getuid() == 0 {
				unprivileged(cmd, 41000)
			}
		}, "executor", "--redis", "redis://127.0.0.1:1", "--store", folder, "--slots", "3", "--memory", "64MiB", "--program-user", userFor(c.user))
		if state := p.wait(patience); state.ExitCode() != exitUsage || !strings.Contains(p.stderr.String(), c.says) {
			t.Errorf("%s: %v, want %q\n%s", c.user, state, c.says, p.stderr.String())
		}
	}
	// The process may not do so.
	p := startCommand(t, func(cmd *exec.Cmd) {
		cmd.Path, cmd.Dir = binary, folder
		unprivileged(cmd, 41000)
	}, "executor", "--redis", "redis://127.0.0.1:1", "--store", folder, "--slots", "1", "--memory", "64MiB", "--program-user", "41100")
	if state := p.wait(patience); state.ExitCode() != exitUsage || !strings.Contains(p.stderr.String(), "CAP_SETUID") {
		t.Errorf("%v\n%s", state, p.stderr.String())
	}
}

// userFor returns a setting. If the tests don't run as the superuser, it replaces the range with
// 40999 by one that contains the user of this process.
func userFor(text string) string {
	if own := os.Getuid(); own != 0 && strings.HasPrefix(text, "40999") {
		return strconv.Itoa(own-1) + "-" + strconv.Itoa(own+2)
	}
	return text
}
