package python

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/internal/record"
)

func TestMapperMayEmitFarMoreThanItReads(t *testing.T) {
	p := openSource(t, "def map_fn(key, value):\n    for i in range(20):\n        yield i, value * 5\n"+goodReduce, nil)
	// Each batch makes more output than the pipes and all buffers hold.
	text := strings.Repeat(strings.Repeat("x", 999)+"\n", 1000)
	if records, bytes := programtest.MapTimes(t, p, programtest.Attempt(t), 3, text); records != 60_000 || bytes < 300*int64(len(text)) {
		t.Errorf("%d records, %d bytes", records, bytes)
	}
}

func TestLogIsLimitedAndWhole(t *testing.T) {
	cfg := foundPython(t)
	cfg.LogLimit = 100_000
	p, err := table.Open(cfg, program.Spec{Kind: "python", Name: "job.py"},
		programtest.WritePython(t, "import sys\ndef map_fn(key, value):\n    print('é' * 99, file=sys.stderr)\n    print('last', end='')\n    return []\n"+goodReduce))
	if err != nil {
		t.Fatal(err)
	}
	a := programtest.Attempt(t)
	log := &strings.Builder{}
	a.Log = log
	if _, err := programtest.MapAll(t, p, a, programtest.Lines("f", strings.Repeat("x\n", 50_000), 1<<20)); err != nil {
		t.Fatal(err)
	}
	all := strings.SplitAfter(log.String(), "\n")
	if log.Len() > 101_000 || log.Len() < 90_000 || all[len(all)-1] != "" || !strings.Contains(all[len(all)-2], "longer than its limit") {
		t.Errorf("log of %d bytes ends with %.100q", log.Len(), all[max(0, len(all)-3):])
	}
	if want := "last" + strings.Repeat("é", 99) + "\n"; all[1] != want {
		t.Errorf("want %q, have %q", want, all[1])
	}
}

func TestDeathIsExplained(t *testing.T) {
	for name, c := range map[string]struct{ body, message, log string }{
		"exit":   {"print('so long'); os._exit(3)", "it ended before it was done: exit status 3", "so long\n"},
		"early":  {"os._exit(0)", "it ended before it was done: exit status 0", ""},
		"signal": {"os.kill(os.getpid(), 11)", "it ended before it was done: signal: segmentation fault", ""},
		"kill":   {"os.kill(os.getpid(), 9)", "it ended before it was done: signal: killed (was it out of memory?)", ""},
		"noise":  {"os.write(max(map(int, os.listdir('/proc/self/fd')), key=lambda fd: ok(fd)), b'noise' * 10)", "protocol: malformed frame: unknown type 110", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := openSource(t, `
import os
def ok(fd):
    # The one pipe besides standard input, output and error that can be written to.
    try: return fd > 2 and os.readlink("/proc/self/fd/%d" % fd).startswith("pipe:") and os.write(fd, b"") == 0
    except OSError: return False
def map_fn(key, value):
    `+c.body+"\n    os._exit(9)\n"+goodReduce, nil)
			// Long enough that the process dies while it is being written.
			_, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", strings.Repeat("some line\n", 300_000), 1<<20))
			user := programtest.WantUserError(t, err)
			if user.Message != c.message || !strings.HasPrefix(user.Traceback, c.log) || user.Program != "job.py" {
				t.Errorf("want %q, log %q, have %q, log %q", c.message, c.log, user.Message, user.Traceback)
			}
		})
	}
}

func TestExitAfterDoneCounts(t *testing.T) {
	p := openSource(t, "import atexit, os\natexit.register(lambda: os._exit(4))\ndef map_fn(v): pass\n"+goodReduce, nil)
	_, err := programtest.MapAll(t, p, programtest.Attempt(t), nil)
	if user := programtest.WantUserError(t, err); user.Message != "it ended with exit status 4 after its work" {
		t.Error(user)
	}
}

func TestMemoryIsLimited(t *testing.T) {
	p := openSource(t, "def map_fn(v):\n    'x' * 10**9\n    yield 1, 1\n"+goodReduce, nil)
	a := programtest.Attempt(t)
	a.Memory = 200 << 20
	_, err := programtest.MapAll(t, p, a, programtest.Lines("f", "x\n", 9))
	if user := programtest.WantUserError(t, err); user.Message != "map_fn raised MemoryError" || user.Line != 2 {
		t.Error(user)
	}
}

func TestLargeValuesAreNotGathered(t *testing.T) {
	p := openSource(t, "def map_fn(v):\n    for i in range(200):\n        yield i, bytes(4 << 20)\n"+goodReduce, nil)
	a := programtest.Attempt(t)
	a.Memory = 200 << 20
	if records, bytes := programtest.MapTimes(t, p, a, 1, "x"); records != 200 || bytes < 800<<20 {
		t.Errorf("%d records, %d bytes", records, bytes)
	}
}

func TestEnvironmentIsClean(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("BUCKETMILL_STORE", "s3://b")
	p := openSource(t, `
import os, sys
def map_fn(line):
    yield "|".join(sorted(os.environ)), 1
    yield os.getcwd() == os.environ["HOME"] == os.environ["TMPDIR"], 2
    yield os.getpgid(0) == os.getpid(), 3
    yield sys.stdin.read(), 4
    yield open("/proc/self/oom_score_adj").read().strip() == "1000", 5
def reduce_fn(key, values): yield list(values)
`, nil)
	got := programtest.Run(t, p, programtest.Lines("f", "x\n", 9))
	slices.Sort(got)
	want := []string{"\t[4]", "HOME|LANG|LC_ALL|PATH|PYTHONDONTWRITEBYTECODE|PYTHONHASHSEED|TMPDIR\t[1]", "true\t[2, 3, 5]"}
	if !slices.Equal(got, want) {
		t.Errorf("want %q, have %q", want, got)
	}
}

// spawning starts a child that keeps the FIFO open and would live long.
const spawning = `
import os, subprocess, sys
def map_fn(line):
    fd = os.open(PARAMS["fifo"], os.O_WRONLY)
    subprocess.Popen(["sleep", "1000"], pass_fds=[fd])
    os.close(fd)
    print("started")
    while line == "wait": pass
    return []
def reduce_fn(key, values): pass
`

func startSpawning(t *testing.T, ctx context.Context, line string) (program.Mapper, <-chan error) {
	t.Helper()
	path, gone := programtest.FIFO(t)
	a := programtest.Attempt(t)
	log := make(programtest.LogSignal, 10)
	a.Log = log
	m, err := openSource(t, spawning, map[string]string{"fifo": path}).NewMapper(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Kill)
	if err := m.Map(&record.Batch{Framing: record.Lines, Data: []byte(line)}, programtest.Discard()); err != nil {
		t.Fatal(err)
	}
	if got := <-log; got != "started\n" {
		t.Fatal(got)
	}
	return m, gone
}

func TestKillEndsGrandchildren(t *testing.T) {
	m, gone := startSpawning(t, t.Context(), "wait")
	m.Kill()
	if err := <-gone; err != nil {
		t.Error(err)
	}
	m.Kill()
	if err := m.Close(programtest.Discard()); !errors.Is(err, program.ErrKilled) {
		t.Errorf("close after kill: %v", err)
	}
}

func TestChildThatLeftTheGroupHoldsNobodyUp(t *testing.T) {
	path, gone := programtest.FIFO(t)
	cfg := foundPython(t)
	cfg.Grace = time.Hour // a wait for the child's end would take this long
	leaving := strings.Replace(spawning, "pass_fds", "start_new_session=True, pass_fds", 1)
	p, err := table.Open(cfg, program.Spec{Kind: "python", Params: map[string]string{"fifo": path}}, programtest.WritePython(t, leaving))
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.NewMapper(t.Context(), programtest.Attempt(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	if err := m.Map(&record.Batch{Framing: record.Lines, Data: []byte("x")}, programtest.Discard()); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(programtest.Discard()); err != nil {
		t.Error(err)
	}
	if err := <-gone; err != nil {
		t.Error(err)
	}
}

func TestCloseEndsGrandchildren(t *testing.T) {
	m, gone := startSpawning(t, t.Context(), "x")
	if err := m.Close(programtest.Discard()); err != nil {
		t.Error(err)
	}
	if err := <-gone; err != nil {
		t.Error(err)
	}
	m.Kill()
}

func TestCancelEndsEverything(t *testing.T) {
	cause := errors.New("job was cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	m, gone := startSpawning(t, ctx, "wait")
	closed := make(chan error)
	go func() { closed <- m.Close(programtest.Discard()) }()
	cancel(cause)
	if err := <-closed; !errors.Is(err, cause) {
		t.Errorf("want %v, have %v", cause, err)
	}
	if err := <-gone; err != nil {
		t.Error(err)
	}
}

func TestReducePassesOnTheErrorsOfBothSides(t *testing.T) {
	p := openSource(t, "def map_fn(v): pass\ndef reduce_fn(key, values): return key\n", nil)
	broken := errors.New("store is gone")
	for name, c := range map[string]struct {
		next func() ([]byte, error)
		out  *record.Emitter
	}{
		"input": {func() ([]byte, error) { return nil, broken }, programtest.Discard()},
		"output": {
			programtest.Blocks(slices.Repeat([]programtest.KV{{"0a", "i\x01\x00\x00\x00"}}, 9), 1),
			record.NewEmitter(1, func([]byte) ([]byte, error) { return nil, broken }),
		},
	} {
		if err := programtest.ReduceOnce(t, p, c.next, c.out); !errors.Is(err, broken) {
			t.Errorf("%s: want %v, have %v", name, broken, err)
		}
	}
}

func TestManyAttemptsAtOnce(t *testing.T) {
	p := openSource(t, pythonWordCount, nil)
	done := make(chan error)
	for i := range 8 {
		go func() {
			word := fmt.Sprint("w", i)
			records, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", strings.Repeat(word+"\n", 1000), 100))
			if err == nil && (len(records) != 1 || records[0].Key() != "0"+word) {
				err = fmt.Errorf("%s: %q", word, records)
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// With its executor's terminal, a program could read what is typed, and type itself.
func TestProgramHasASessionOfItsOwn(t *testing.T) {
	p := openSource(t, "import os\ndef map_fn(key, value):\n    yield 'own', os.getsid(0) == os.getpid() == os.getpgrp()\n"+goodReduce, nil)
	got, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", "x\n", 1<<20))
	if err != nil || len(got) != 1 || !strings.HasSuffix(got[0].Value(), "T") {
		t.Errorf("%v, %v", got, err)
	}
}
