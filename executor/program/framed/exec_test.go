package framed

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

// buildExample builds the example in Go and returns the executable's path.
func buildExample(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wordcount")
	if out, err := exec.Command("go", "build", "-o", path, "../../../examples/wordcount-go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func TestGoProgram(t *testing.T) {
	path := buildExample(t)
	spec := program.Spec{Kind: "exec", Name: "wordcount"}
	if err := table.Check(t.Context(), program.Config{}, spec, path); err != nil {
		t.Fatal(err)
	}
	p, err := table.Open(program.Config{}, spec, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 1 << 20} {
		if got, want := programtest.Run(t, p, programtest.Lines("f", "a b a\nc\x00\xff a\n", size)), []string{"a\t3", "b\t1", "c\x00\xff\t1"}; !slices.Equal(got, want) {
			t.Errorf("batches of %d: want %q, have %q", size, want, got)
		}
	}
	_, err = programtest.ReduceAll(t, p, programtest.Attempt(t), []programtest.KV{{"a", "\x80"}}, 1)
	user := programtest.WantUserError(t, err)
	if !strings.Contains(user.Message, `reduce: value of key "a"`) || user.Record == nil || user.Record.Key != `"a"` {
		t.Error(err)
	}
}

func TestExecutablesThatDoNotSpeakAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"ends":      {"#!/bin/sh\necho gone >&2; exit 7\n", "exit status 7"},
		"silent":    {"#!/bin/sh\n", "exit status 0"},
		"talks":     {"#!/bin/sh\necho hello world\n", "unknown type 104"},
		"no format": {"neither script nor binary", "exec format error"},
	} {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, []byte(c.script), 0o700); err != nil {
			t.Fatal(err)
		}
		err := table.Check(t.Context(), program.Config{}, program.Spec{Kind: "exec", Name: "program"}, path)
		user := programtest.WantUserError(t, err)
		if !strings.Contains(user.Message, c.want) {
			t.Errorf("%s: want %q, have %v", name, c.want, err)
		}
		if name == "ends" && user.Traceback != "gone\n" {
			t.Errorf("log: %q", user.Traceback)
		}
	}
	path := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{path, t.TempDir(), path + "-missing"} {
		if err := table.Check(t.Context(), program.Config{}, program.Spec{Kind: "exec", Name: "plain"}, file); err == nil {
			t.Errorf("%s passes", file)
		}
	}
}

// Check locks its scratch folder, so that the next process can remove the folder if Check is
// killed.
func TestCheckRunsInLockedScratch(t *testing.T) {
	parent, list := t.TempDir(), filepath.Join(t.TempDir(), "list")
	t.Setenv("TMPDIR", parent)
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nls \"$HOME/..\" > "+list+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := table.Check(t.Context(), program.Config{}, program.Spec{Kind: "exec", Name: "program"}, path); err == nil {
		t.Error("it passes")
	}
	seen, err := os.ReadFile(list)
	if err != nil || !strings.Contains(string(seen), "lock\n") {
		t.Errorf("beside the program's home: %q, %v", seen, err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

var table = program.Kinds{Kind}
