package kinds

import (
	"os"
	"path/filepath"
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
	for arg, want := range map[string]string{
		"wordcount":            "builtin",
		file("job.py", 0o600):  "python",
		file("run.py", 0o700):  "python",
		file("program", 0o700): "exec",
		file("sort", 0o700):    "exec",
	} {
		if got, err := Detect(All(), arg); err != nil || got.Name != want {
			t.Errorf("%s: want %s, have %v, %v", arg, want, got, err)
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
		if kind, err := Detect(All(), arg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want an error with %q, have %v, %v", arg, want, kind, err)
		}
	}
}
