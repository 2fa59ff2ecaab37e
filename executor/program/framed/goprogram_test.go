package framed

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/internal/record"
)

// openLines opens the program in testdata that does what its input says.
func openLines(t *testing.T) program.Program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lines")
	if out, err := exec.Command("go", "build", "-o", path, "./testdata/lines").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p, err := table.Open(program.Config{}, program.Spec{Kind: "exec", Name: "lines"}, path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestGoPrograms(t *testing.T) {
	p := openLines(t)
	t.Run("columns", func(t *testing.T) { testColumns(t, p) })
	t.Run("reports", func(t *testing.T) { testReports(t, p) })
	t.Run("panics", func(t *testing.T) { testPanics(t, p) })
}

func testColumns(t *testing.T, p program.Program) {
	got := programtest.Run(t, p, programtest.Lines("f", "a\nb\na\na\n", 4))
	if want := []string{"a\t3\t0\t6", "b\t1\t2\t2"}; !slices.Equal(got, want) {
		t.Errorf("want %q, have %q", want, got)
	}
}

// What a program prints, reports and counts comes to the attempt, and a line of its log is
// progress.
func testReports(t *testing.T, p program.Program) {
	var log bytes.Buffer
	var moves atomic.Int64
	a := programtest.Attempt(t)
	a.Log, a.Progressed = &log, func() { moves.Add(1) }
	m, err := p.NewMapper(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	out := record.NewEmitter(1<<16, func(block []byte) ([]byte, error) { return block, nil })
	for _, b := range programtest.Lines("f", "print\nstatus\ncount\ncount\n", 100) {
		if err := m.Map(&b, out); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(out); err != nil {
		t.Fatal(err)
	}
	if want := "printed\nstatus: well\n"; log.String() != want {
		t.Errorf("the log is %q, want %q", log.String(), want)
	}
	if counters := m.(program.Counting).Counters(); counters["counted"] != 4 {
		t.Errorf("counters: %v", counters)
	}
	if moves.Load() == 0 {
		t.Error("no progress")
	}
}

func testPanics(t *testing.T, p program.Program) {
	m, err := p.NewMapper(t.Context(), programtest.Attempt(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	out := record.NewEmitter(1<<16, func(block []byte) ([]byte, error) { return block, nil })
	for _, b := range programtest.Lines("f", "a\npanic\nb\n", 100) {
		if err = m.Map(&b, out); err != nil {
			break
		}
	}
	if err == nil {
		err = m.Close(out)
	}
	user := programtest.WantUserError(t, err)
	if user.Message != "panic: at byte 2" || user.File != "main.go" || user.Line == 0 ||
		user.Record == nil || user.Record.Offset != 2 || !strings.Contains(user.Traceback, "main.obey\n") {
		t.Errorf("%v\n%s", user, user.Traceback)
	}
}
