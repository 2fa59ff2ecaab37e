package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/internal/record"
)

// buildExample builds the example in Go and returns the executable's path.
func buildExample(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wordcount")
	if out, err := exec.Command("go", "build", "-o", path, "../../examples/wordcount-go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func TestGoProgram(t *testing.T) {
	path := buildExample(t)
	spec := Spec{Kind: Exec, Name: "wordcount"}
	if err := Check(t.Context(), Config{}, spec, path); err != nil {
		t.Fatal(err)
	}
	p, err := Open(Config{}, spec, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 1 << 20} {
		if got, want := run(t, p, lines("f", "a b a\nc\x00\xff a\n", size)), []string{"a\t3", "b\t1", "c\x00\xff\t1"}; !slices.Equal(got, want) {
			t.Errorf("batches of %d: want %q, have %q", size, want, got)
		}
	}
	_, err = reduceAll(t, p, attempt(t), []kv{{"a", "\x80"}}, 1)
	user := wantUserError(t, err)
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
		err := Check(t.Context(), Config{}, Spec{Kind: Exec, Name: "program"}, path)
		user := wantUserError(t, err)
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
		if err := Check(t.Context(), Config{}, Spec{Kind: Exec, Name: "plain"}, file); err == nil {
			t.Errorf("%s passes", file)
		}
	}
}

// A check has a scratch folder that is locked, so that whoever starts next finds it if it is killed.
func TestCheckRunsInLockedScratch(t *testing.T) {
	parent, list := t.TempDir(), filepath.Join(t.TempDir(), "list")
	t.Setenv("TMPDIR", parent)
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nls \"$HOME/..\" > "+list+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), Config{}, Spec{Kind: Exec, Name: "program"}, path); err == nil {
		t.Error("it passes")
	}
	seen, err := os.ReadFile(list)
	if err != nil || !strings.Contains(string(seen), scratchLock+"\n") {
		t.Errorf("beside the program's home: %q, %v", seen, err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestExamples runs the examples in Python beside the builtins that do the same.
func TestExamples(t *testing.T) {
	for _, c := range []struct {
		file, builtin, format string
		batches               []record.Batch
	}{
		{"word_count.py", "wordcount", "text", lines("f", "a b a\nc\n", 3)},
		{"access_log.py", "accesslog", "text", lines("f", accessLines, 100)},
		{"user_activity.py", "activity", "csv", activityBatches("1,0.10,ann,2026-11-21T15:04:05Z,buy\n2,0.20,ann,2026-11-22T15:04:05Z,\"a,b\"\n", 3)},
	} {
		path := filepath.Join("..", "..", "examples", c.file)
		spec := Spec{Kind: Python, Name: c.file}
		if err := Check(t.Context(), pythonConfig(t), spec, path); err != nil {
			t.Fatal(err)
		}
		p, err := Open(pythonConfig(t), spec, path)
		if err != nil {
			t.Fatal(err)
		}
		a := attempt(t)
		a.Format = c.format
		records, err := mapAll(t, p, a, c.batches)
		if err != nil {
			t.Fatal(err)
		}
		output, err := reduceAll(t, p, attempt(t), records, 3)
		if got, want := text(p, output), run(t, open(t, c.builtin), c.batches); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: want %q, have %q, %v", c.file, want, got, err)
		}
	}
}
