package kinds

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The pages that list the kinds are compared with the table.
func TestPagesNameAllKinds(t *testing.T) {
	page := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	jobFile, api := page("../../../docs/job-file.md"), page("../../../api/server/openapi.yaml")
	for _, kind := range All() {
		if !strings.Contains(jobFile, "`"+kind.Name+"`") {
			t.Errorf("docs/job-file.md does not name the kind %s", kind.Name)
		}
		if !regexp.MustCompile(`kind: \{type: string, enum: \[.*\b` + kind.Name + `\b.*\]`).MatchString(api) {
			t.Errorf("openapi.yaml does not allow the kind %s", kind.Name)
		}
	}
}

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
		file("notes", 0o600):  "neither a .py file nor executable",
		dir + "/no_such.py":   "there is no such file",
		dir + "/notes/inside": "not a directory",
	} {
		if kind, err := Detect(All(), arg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want an error with %q, have %v, %v", arg, want, kind, err)
		}
	}
}
