package streaming

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/internal/record"
)

// A program that ends with status 0 has succeeded, even if it has read only part of its input, or
// nothing.
func TestEarlyEndIsSuccess(t *testing.T) {
	text := strings.Repeat("line\tof text\n", 300_000)
	for command, want := range map[string]int{
		"head -n 2": 2, "true": 0, "sh -c 'exec <&-; echo done'": 1, "sed 5q": 5,
		"sh -c 'exec <&-; sleep 0.05; seq 100000'": 100_000, // prints on after it has closed its input
	} {
		p := openCommands(t, program.Commands{Mapper: command, Reducer: command})
		if got := mapText(t, p, text, 100_000); len(got) != want {
			t.Errorf("mapper %s: %d pairs", command, len(got))
		}
		pairs := slices.Repeat([]programtest.KV{{"k", strings.Repeat("v", 100)}}, 50_000)
		if got, err := programtest.ReduceAll(t, p, programtest.Attempt(t), pairs, 500); err != nil || len(got) != want {
			t.Errorf("reducer %s: %d pairs, %v", command, len(got), err)
		}
	}
}

func TestExitIsFailure(t *testing.T) {
	text := strings.Repeat("some line\n", 200_000)
	for command, message := range map[string]string{
		"sh -c 'echo so long >&2; exit 3'":            "it ended with exit status 3",
		"sh -c 'cat; echo so long >&2; exit 4'":       "it ended with exit status 4",
		"sh -c 'head -n 1; echo so long >&2; exit 5'": "it ended with exit status 5",
		"sh -c 'echo so long >&2; kill -9 $$'":        "it ended with signal: killed (was it out of memory?)",
		"sh -c 'echo so long >&2; kill -11 $$'":       "it ended with signal: segmentation fault",
	} {
		p := openCommands(t, program.Commands{Mapper: command, Reducer: command})
		_, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", text, 1<<16))
		if user := programtest.WantUserError(t, err); user.Message != message || user.Program != "mapper sh" || user.Traceback != "so long\n" {
			t.Errorf("%s: %+v", command, user)
		}
		_, err = programtest.ReduceAll(t, p, programtest.Attempt(t), slices.Repeat([]programtest.KV{{"k", "v"}}, 100_000), 1000)
		if user := programtest.WantUserError(t, err); user.Message != message || user.Program != "reducer sh" {
			t.Errorf("%s: %+v", command, user)
		}
	}
}

// The error of a command that may only have found nothing names the parameter that allows that.
func TestNothingFoundIsAFailureThatNamesTheParameter(t *testing.T) {
	const hint = "it ended with exit status 1 and wrote nothing to standard error; " +
		"if that only means that it found nothing, as with grep, use -p stream.non.zero.exit.is.failure=false"
	for _, command := range []string{"grep NOSUCH", "grep -c NOSUCH", "false"} {
		p := openCommands(t, program.Commands{Mapper: command, Reducer: command})
		_, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", "x\n", 9))
		if user := programtest.WantUserError(t, err); user.Message != hint {
			t.Errorf("mapper %s: %v", command, user)
		}
		_, err = programtest.ReduceAll(t, p, programtest.Attempt(t), []programtest.KV{{"k", "v"}}, 1)
		if user := programtest.WantUserError(t, err); user.Message != hint {
			t.Errorf("reducer %s: %v", command, user)
		}
		p = openCommands(t, program.Commands{Mapper: command}, paramExitIsFailure, "false")
		if _, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", "x\n", 9)); err != nil {
			t.Errorf("mapper %s, whose exit is no failure: %v", command, err)
		}
	}
	p := openCommands(t, program.Commands{Mapper: "grep NOSUCH no-such-file"})
	_, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", "x\n", 9))
	if user := programtest.WantUserError(t, err); user.Message != "it ended with exit status 2" {
		t.Error(user)
	}
}

func TestExitMayBeNoFailure(t *testing.T) {
	p := openCommands(t, program.Commands{Mapper: "sh -c 'cat; exit 3'"}, paramExitIsFailure, "false")
	checkRecords(t, mapText(t, p, "a\n", 9), programtest.KV{"a", ""})
	p = openCommands(t, program.Commands{Mapper: "sh -c 'cat; kill -9 $$'"}, paramExitIsFailure, "false")
	_, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", "a\n", 9))
	if user := programtest.WantUserError(t, err); !strings.Contains(user.Message, "signal: killed") {
		t.Error(user)
	}
}

// The processes that a command has started are waited for while they keep the output open, and no
// longer.
func TestBackgroundOutputIsNotLost(t *testing.T) {
	p := openCommands(t, program.Commands{Mapper: `sh -c '(sleep 0.1; echo late; sleep 0.1; echo later) & echo early'`})
	checkRecords(t, mapText(t, p, "a\n", 9), programtest.KV{"early", ""}, programtest.KV{"late", ""}, programtest.KV{"later", ""})
	p = openCommands(t, program.Commands{Mapper: `sh -c 'sleep 1000 > /dev/null 2>&1 & cat'`})
	checkRecords(t, mapText(t, p, "a\n", 9), programtest.KV{"a", ""})
	p = openCommands(t, program.Commands{Mapper: `setsid sh -c 'sleep 1000 < /dev/null > /dev/null & cat'`})
	checkRecords(t, mapText(t, p, "a\n", 9), programtest.KV{"a", ""})
}

// spawner starts a child that keeps the FIFO open and would live long, and one that has left the
// group.
const spawner = `sh -c 'exec 9>$FIFO; sleep 1000 & setsid sleep 1001 & exec 9>&-; echo started >&2; wait'`

func startSpawner(t *testing.T, ctx context.Context, c program.Commands) (program.Mapper, <-chan error) {
	t.Helper()
	path, gone := programtest.FIFO(t)
	a := programtest.Attempt(t)
	log := make(programtest.LogSignal, 10)
	a.Log = log
	m, err := openCommands(t, c, "FIFO", path).NewMapper(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Kill)
	if err := m.Map(&record.Batch{Framing: record.Lines, Data: []byte("x\n")}, programtest.Discard()); err != nil {
		t.Fatal(err)
	}
	if got := <-log; got != "started\n" {
		t.Fatal(got)
	}
	return m, gone
}

func TestKillEndsAllOfACommand(t *testing.T) {
	for _, c := range []program.Commands{{Mapper: spawner}, {Mapper: spawner, Combiner: "cat"}} {
		m, gone := startSpawner(t, t.Context(), c)
		m.Kill()
		if err := <-gone; err != nil {
			t.Error(err)
		}
		m.Kill()
		if err := m.Close(programtest.Discard()); !errors.Is(err, program.ErrKilled) {
			t.Errorf("close after kill: %v", err)
		}
	}
}

func TestCancelEndsAllOfACommand(t *testing.T) {
	cause := errors.New("job was cancelled")
	for _, c := range []program.Commands{{Mapper: spawner}, {Mapper: spawner, Combiner: "cat"}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		m, gone := startSpawner(t, ctx, c)
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
}

// A process that has left the group and keeps the output open does not outlive the attempt, either.
func TestCancelEndsWhatHoldsTheOutput(t *testing.T) {
	cause := errors.New("job was cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	a := programtest.Attempt(t)
	log := make(programtest.LogSignal, 10)
	a.Log = log
	m, err := openCommands(t, program.Commands{Mapper: `sh -c 'setsid sleep 1003 & echo started >&2'`}).NewMapper(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	closed := make(chan error)
	go func() { closed <- m.Close(programtest.Discard()) }()
	<-log
	cancel(cause)
	if err := <-closed; !errors.Is(err, cause) {
		t.Errorf("want %v, have %v", cause, err)
	}
}

// A child that has left the group and has no environment is found by its working folder.
func TestChildWithoutEnvironmentIsEnded(t *testing.T) {
	path, gone := programtest.FIFO(t)
	p := openCommands(t, program.Commands{Mapper: `sh -c 'exec 9>$FIFO; setsid env -i sleep 1002 > /dev/null 2>&1 & exec 9>&-; cat'`}, "FIFO", path)
	checkRecords(t, mapText(t, p, "a\n", 9), programtest.KV{"a", ""})
	if err := <-gone; err != nil {
		t.Error(err)
	}
}

func TestStreamingPassesOnTheErrorsOfBothSides(t *testing.T) {
	broken := errors.New("store is gone")
	p := openCommands(t, program.Commands{Mapper: "cat", Reducer: "cat"})
	for name, c := range map[string]struct {
		next func() ([]byte, error)
		out  *record.Emitter
	}{
		"at once": {func() ([]byte, error) { return nil, broken }, programtest.Discard()},
		"later": {func() func() ([]byte, error) {
			first := programtest.Blocks([]programtest.KV{{"a", "b"}}, 1)
			return func() ([]byte, error) {
				if block, err := first(); err == nil {
					return block, nil
				}
				return nil, broken
			}
		}(), programtest.Discard()},
		"output": {
			programtest.Blocks(slices.Repeat([]programtest.KV{{"0a", "i"}}, 9), 1),
			record.NewEmitter(1, func([]byte) ([]byte, error) { return nil, broken }),
		},
	} {
		if err := programtest.ReduceOnce(t, p, c.next, c.out); !errors.Is(err, broken) {
			t.Errorf("%s: want %v, have %v", name, broken, err)
		}
	}
}
