package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/state"
)

// growing submits a job whose only map task prints a line and waits until the file gate exists.
func (s *testServer) growing(t *testing.T) (id, gate string) {
	t.Helper()
	s.put("s3://inbox/a.txt", "one\ntwo\n")
	gate = t.TempDir() + "/gate"
	folder := writeFiles(t, map[string]string{"job.py": fmt.Sprintf(`import os, time
def map_fn(line):
    print("begin", line, flush=True)
    while not os.path.exists(%q):
        time.sleep(0.01)
    print("end", line)
    yield line, 1
`, gate)})
	id = strings.TrimSpace(s.must("submit", folder+"/job.py", "-r", "0", "-i", "s3://inbox/a.txt", "-o", "s3://outbox/1"))
	return id, gate
}

// await waits until ok returns true.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !ok() {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// The log of a running task can be read while the task runs, and followed to its end.
func TestLogsOfRunningTasks(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	id, gate := s.growing(t)
	await(t, "the task runs", func() bool { return strings.Contains(s.must("tasks", id), "running") })
	await(t, "the program speaks", func() bool { return s.command("logs", id, "m0.1").stdout == "begin one\n" })
	if got := s.must("logs", id); got != "==> m0.1 <==\nbegin one\n" {
		t.Errorf("all logs are %q", got)
	}

	var following sync.WaitGroup
	followed := map[string]*lockedBuffer{}
	for _, which := range []string{"", "m0", "m0.1"} {
		var out, complaints lockedBuffer
		followed[which] = &out
		args := []string{"logs", id, "--follow", "--server", s.url}
		if which != "" {
			args = []string{"logs", id, which, "-f", "--server", s.url}
		}
		following.Go(func() {
			if code := run(t.Context(), args, &out, &complaints); code != exitDone {
				t.Errorf("%q: exit code %d: %s", args, code, complaints.String())
			}
		})
	}
	for which, out := range followed {
		await(t, "follow "+which, func() bool { return strings.Contains(out.String(), "begin one\n") })
	}
	must(t, os.WriteFile(gate, nil, 0o600))
	following.Wait()
	const all = "begin one\nend one\nbegin two\nend two\n"
	for which, out := range followed {
		want := all
		if which != "m0.1" {
			want = "==> m0.1 <==\n" + all
		}
		if got := out.String(); got != want {
			t.Errorf("followed %q: %q", which, got)
		}
	}
	if got := s.must("logs", id, "m0.1"); got != all {
		t.Errorf("at the end the log is %q", got)
	}
	if got := s.must("logs", id, "m0.1", "-f"); got != all {
		t.Errorf("followed after the end the log is %q", got)
	}
}

// A task's logs are followed to the end of the task, even if its job continues.
func TestFollowedTaskEndsBeforeItsJob(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	s.put("s3://inbox/a.txt", "one\n")
	gate := t.TempDir() + "/gate"
	folder := writeFiles(t, map[string]string{"job.py": fmt.Sprintf(`import os, time
def map_fn(line):
    print("mapped", line)
    yield line, 1
def reduce_fn(key, values):
    print("reducing", key, flush=True)
    while not os.path.exists(%q):
        time.sleep(0.01)
    yield key, sum(values)
`, gate)})
	id := strings.TrimSpace(s.must("submit", folder+"/job.py", "-r", "1", "-i", "s3://inbox/a.txt", "-o", "s3://outbox/1"))
	for range 2 { // before or while it runs, and after its end
		if got := s.must("logs", id, "m0", "--follow"); got != "==> m0.1 <==\nmapped one\n" {
			t.Errorf("the task's log is %q", got)
		}
	}
	if got := s.must("status", id); !strings.Contains(got, "REDUCING") {
		t.Errorf("the job ended first:\n%s", got)
	}
	must(t, os.WriteFile(gate, nil, 0o600))
	if got := s.must("logs", id, "r0", "--follow"); got != "==> r0.1 <==\nreducing one\n" {
		t.Errorf("the reducer's log is %q", got)
	}
}

// A task's progress is that of its program, not of the reading ahead.
func TestProgressOfProgramThatIsSlow(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	s.put("s3://inbox/a.txt", strings.Repeat("line\n", 100))
	gate := t.TempDir() + "/gate"
	folder := writeFiles(t, map[string]string{"job.py": fmt.Sprintf(`import os, time
seen = 0
def map_fn(line):
    global seen
    seen += 1
    while seen > 80 and not os.path.exists(%q):
        time.sleep(0.01)
    time.sleep(0.02)
    yield line, 1
def reduce_fn(key, values):
    yield key, sum(values)
`, gate)})
	id := strings.TrimSpace(s.must("submit", folder+"/job.py", "-r", "1", "-i", "s3://inbox/a.txt", "-o", "s3://outbox/1"))
	progress := 0.0
	await(t, "the task makes progress", func() bool {
		var list api.TaskList
		must(t, json.Unmarshal([]byte(s.must("tasks", id, "--side", "map", "--json")), &list))
		for _, task := range list.Tasks {
			for _, a := range task.Attempts {
				progress = max(progress, a.Progress)
			}
		}
		return progress > 0
	})
	if progress > 0.8 {
		t.Errorf("80 of 100 records are mapped, progress is %v", progress)
	}
	must(t, os.WriteFile(gate, nil, 0o600))
	if r := s.command("status", id, "--watch"); r.code != exitDone || !strings.Contains(r.stdout, "100 records") {
		t.Errorf("%+v", r)
	}
}

// A long log loses its beginning, and says so. A follower gets every stored line once.
func TestLongLogIsFollowed(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	s.put("s3://inbox/a.txt", "one\n")
	folder := writeFiles(t, map[string]string{"job.py": `def map_fn(line):
    for n in range(60000):
        print("line", n)
    yield line, 1
`})
	id := strings.TrimSpace(s.must("submit", folder+"/job.py", "-r", "0", "-i", "s3://inbox/a.txt", "-o", "s3://outbox/1"))
	got := s.must("logs", id, "m0.1", "--follow")
	if !strings.Contains(got, " bytes of the log are missing here]\n") || !strings.HasSuffix(got, "line 59998\nline 59999\n") {
		t.Errorf("the log begins %.200q", got)
	}
	before := -1
	for line := range strings.Lines(got) {
		n := 0
		if _, err := fmt.Sscanf(line, "line %d\n", &n); err != nil {
			continue // a cut line, or the number of missing bytes
		}
		if n <= before {
			t.Fatalf("line %d comes after line %d", n, before)
		}
		before = n
	}
}

// An executor that is alone tries a task again at once. Otherwise it would leave the task to others
// for some seconds.
func TestLoneExecutorDoesNotWaitForOthers(t *testing.T) {
	t.Attr("timing", "four attempts must be quick")
	t.Parallel()
	s := serve(t, false, nil)
	s.put("s3://inbox/a.txt", "one\n")
	folder := writeFiles(t, map[string]string{"job.py": "def map_fn(line):\n    yield 1 // 0, 1\n"})
	r := s.command("submit", "--wait", folder+"/job.py", "-r", "0", "--max-attempts", "4", "-i", "s3://inbox/a.txt", "-o", "s3://outbox/1", "--name", "fails")
	if r.code != exitFailed || !strings.Contains(r.stderr, "given up after 4 failed attempts") {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	var list api.TaskList
	must(t, json.NewDecoder(strings.NewReader(s.must("tasks", "last", "--json"))).Decode(&list))
	if len(list.Tasks) != 1 {
		t.Fatalf("tasks: %+v", list)
	}
	attempts := list.Tasks[0].Attempts
	if len(attempts) != 4 {
		t.Fatalf("%d attempts", len(attempts))
	}
	if took := attempts[3].Ended.Sub(attempts[0].Ended.Time); took > 2*state.DefaultLimits.Shun {
		t.Errorf("four attempts took %v", took)
	}
}

// The log that a failure names exists and contains what it promises; nothing is printed twice.
func TestFailureNamesALogThatIsThere(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	s.put("s3://inbox/a.txt", "one\n")
	for i, test := range []struct {
		program, log string
		args         []string
	}{
		{"def map_fn(line):\n    yield 1 // 0, 1\n", "ZeroDivisionError", nil},
		{"def map_fn(line):\n    print('my last words')\n    yield 1 // 0, 1\n", "ZeroDivisionError", nil},
		{"", "my last words", []string{"--mapper", "sh -c 'echo my last words >&2; exit 3'"}},
		{"", "exit status 1", []string{"--mapper", "grep -q nothing"}},
		{"", "exit status 127", []string{"--mapper", "sh -c no-such-command"}},
	} {
		args := append([]string{"submit", "--wait", "-r", "0", "-i", "s3://inbox/a.txt", "-o", fmt.Sprintf("s3://outbox/%d", i)}, test.args...)
		if test.program != "" {
			folder := writeFiles(t, map[string]string{"job.py": test.program})
			args = append(args, folder+"/job.py")
		}
		r := s.command(args...)
		_, advice, ok := strings.Cut(r.stderr, `"bucketmill logs `)
		advice, _, _ = strings.Cut(advice, `"`)
		if !ok {
			t.Errorf("%q: no advice in\n%s", args, r.stderr)
			continue
		}
		if log := s.must(append([]string{"logs"}, strings.Fields(advice)...)...); !strings.Contains(log, test.log) || !strings.Contains(log, "[the attempt failed: ") {
			t.Errorf("%q: the log is %q", args, log)
		}
		if n := strings.Count(r.stderr, "my last words\n"); n > 1 {
			t.Errorf("%q: the last words are shown %d times:\n%s", args, n, r.stderr)
		}
		if test.log == "exit status 1" && !strings.Contains(r.stderr, "-p stream.non.zero.exit.is.failure=false") {
			t.Errorf("no word of the parameter in\n%s", r.stderr)
		}
		if test.log == "exit status 127" && !strings.Contains(r.stderr, "given up after 1 failed attempt") {
			t.Errorf("a missing command was tried again:\n%s", r.stderr)
		}
	}
}
