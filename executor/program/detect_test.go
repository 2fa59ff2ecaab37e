package program

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDetect(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for arg, want := range map[string]Kind{
		"wordcount":            Builtin,
		file("job.py", 0o600):  Python,
		file("run.py", 0o700):  Python,
		file("program", 0o700): Exec,
		file("sort", 0o700):    Exec,
	} {
		if got, err := Detect(arg); err != nil || got != want {
			t.Errorf("%s: want %s, have %s, %v", arg, want, got, err)
		}
	}
	for arg, want := range map[string]string{
		"wordcuont":           "did you mean wordcount?",
		"zzzzzzzz":            "accesslog, activity, aggregate, distinct, grep, index, sort, wordcount",
		dir:                   "is a folder",
		file("notes", 0o600):  "neither",
		dir + "/no_such.py":   "there is no such file",
		dir + "/notes/inside": "not a directory",
	} {
		if kind, err := Detect(arg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want an error with %q, have %s, %v", arg, want, kind, err)
		}
	}
}

func TestUnknownParamsAreNamed(t *testing.T) {
	for _, c := range []struct {
		name   string
		params map[string]string
		want   string
	}{
		{"wordcount", map[string]string{"lowr": "true"}, "does not know the parameter lowr: it has letters, lower; did you mean lower?"},
		{"sort", map[string]string{"b": "", "a": ""}, "does not know the parameters a, b: it has none"},
		{"wordcount", map[string]string{"lower": "maybe"}, `parameter lower="maybe": want true or false`},
		{"activity", map[string]string{"by": "week"}, "user, action, day, hour"},
		{"no such", nil, "no program"},
	} {
		_, err := Open(Config{}, Spec{Kind: Builtin, Name: c.name, Params: c.params}, "")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: want %q, have %v", c.name, c.params, c.want, err)
		}
	}
}

func TestBuiltinsAreDescribed(t *testing.T) {
	infos := Builtins()
	if !slices.IsSortedFunc(infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("builtins are not sorted by name")
	}
	for _, info := range infos {
		if info.Summary == "" || strings.Contains(info.Summary, "\n") {
			t.Errorf("%s: summary %q", info.Name, info.Summary)
		}
		for _, p := range info.Params {
			if p.Summary == "" {
				t.Errorf("%s: parameter %s has no summary", info.Name, p.Name)
			}
		}
	}
}
