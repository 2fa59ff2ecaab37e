package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// events of one package: a test with a given end, between two that pass.
func events(end string) string {
	return `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"a says\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"b says\n"}
` + end + `{"Action":"output","Package":"p","Output":"the end of p\n"}
`
}

func TestReport(t *testing.T) {
	for name, test := range map[string]struct {
		events  string
		verbose bool
		output  string
		verdict string // empty for success
	}{
		"passed": {
			events: events(`{"Action":"pass","Package":"p","Test":"TestB"}` + "\n"),
			output: "the end of p\ntests: 2 passed, 0 failed, 0 skipped\n",
		},
		"passed, verbose": {
			events:  events(`{"Action":"pass","Package":"p","Test":"TestB"}` + "\n"),
			verbose: true,
			output:  "a says\nb says\nthe end of p\ntests: 2 passed, 0 failed, 0 skipped\n",
		},
		"skipped": {
			events:  events(`{"Action":"skip","Package":"p","Test":"TestB"}` + "\n"),
			output:  "b says\nthe end of p\nSKIPPED p TestB\ntests: 1 passed, 0 failed, 1 skipped\n",
			verdict: "skipped",
		},
		"failed": {
			events:  events(`{"Action":"fail","Package":"p","Test":"TestB"}` + "\n"),
			output:  "b says\nthe end of p\ntests: 1 passed, 1 failed, 0 skipped\n",
			verdict: "failed",
		},
		"died": {
			events:  events("") + `{"Action":"fail","Package":"p"}` + "\n",
			output:  "the end of p\nb says\ntests: 1 passed, 1 failed, 0 skipped\n",
			verdict: "failed",
		},
		"did not build": {
			events: `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: wrong\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`,
			output:  "p.go:1: wrong\ntests: 0 passed, 1 failed, 0 skipped\n",
			verdict: "failed",
		},
		"a package without tests": {
			events:  `{"Action":"skip","Package":"p"}` + "\n",
			output:  "tests: 0 passed, 0 failed, 0 skipped\n",
			verdict: "no tests",
		},
		"not JSON": {events: "go: no such module\n", verdict: "read test events"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := newReport(&out, test.verbose, time.Hour)
			err := r.read(strings.NewReader(test.events))
			if err == nil {
				err = r.verdict()
			}
			if out.String() != test.output {
				t.Errorf("output %q, want %q", out.String(), test.output)
			}
			if test.verdict == "" && err != nil || test.verdict != "" && (err == nil || !strings.Contains(err.Error(), test.verdict)) {
				t.Errorf("verdict %v, want %q", err, test.verdict)
			}
		})
	}
}

// Only marked tests are repeated, and only if nothing else is wrong with their package.
func TestRepeatable(t *testing.T) {
	const mark = `{"Action":"attr","Package":"p","Test":"TestB/sub","Key":"timing","Value":"it kills a process"}` + "\n"
	const fails = `{"Action":"fail","Package":"p","Test":"TestB/sub"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestB"}` + "\n"
	const all = `{"Action":"output","Package":"p","Output":"FAIL\n"}` + "\n"
	const race = `{"Action":"output","Package":"p","Test":"TestB","Output":"testing.go:1: race detected during execution of test\n"}` + "\n"
	const end = `{"Action":"fail","Package":"p"}` + "\n"
	for name, test := range map[string]struct {
		events string
		want   int
	}{
		"marked":            {mark + fails + all + end, 1},
		"not marked":        {fails + all + end, 0},
		"passed":            {mark + `{"Action":"pass","Package":"p","Test":"TestB"}` + "\n", 0},
		"a panic":           {mark + fails + end, 0},
		"a data race":       {mark + race + fails + all + end, 0},
		"another was cut":   {mark + `{"Action":"run","Package":"p","Test":"TestC"}` + "\n" + fails + all + end, 0},
		"and one is not":    {mark + `{"Action":"fail","Package":"p","Test":"TestC"}` + "\n" + fails + all + end, 1},
		"a marked neighbor": {strings.ReplaceAll(mark, "TestB", "TestA") + fails + all + end, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReport(io.Discard, false, time.Hour)
			if err := r.read(strings.NewReader(test.events)); err != nil {
				t.Fatal(err)
			}
			if got := r.repeatable(); len(got) != test.want {
				t.Errorf("repeatable are %v, want %d", got, test.want)
			}
		})
	}
}

// real is a package whose tests fail the first time; TestAlways fails every time.
const real = `package real

import (
	"os"
	"testing"
)

func first(name string) bool {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL, 0o600)
	return err == nil && f.Close() == nil
}

func TestMarked(t *testing.T) {
	t.Attr("timing", "it waits")
	if first("marked") {
		t.Error("too late")
	}
}

func TestPasses(t *testing.T) {}
`

// The command itself, on tests that fail the first time.
func TestRepeat(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "testreport")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, test := range map[string]struct {
		more   string // tests
		flags  []string
		code   int
		output []string
	}{
		"a marked test":  {flags: []string{"-repeat"}, output: []string{"REPEATED example.com/real TestMarked: passed (it waits)", "tests: 2 passed, 0 failed, 0 skipped"}},
		"without repeat": {code: 1, output: []string{"too late", "tests: 1 passed, 2 failed, 0 skipped"}},
		"fails again": {
			more:  "func TestAlways(t *testing.T) { t.Attr(\"timing\", \"it hopes\"); t.Error(\"never\") }\n",
			flags: []string{"-repeat"}, code: 1,
			output: []string{"REPEATED example.com/real TestAlways: failed again (it hopes)", "TestMarked: passed", "tests: 2 passed, 2 failed"},
		},
		"not marked": {
			more:  "func TestOther(t *testing.T) { if first(\"other\") { t.Error(\"a flaw\") } }\n",
			flags: []string{"-repeat"}, code: 1,
			output: []string{"TestMarked: passed", "tests: 2 passed, 2 failed"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			for file, text := range map[string]string{"go.mod": "module example.com/real\n\ngo 1.26\n", "real_test.go": real + test.more} {
				if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(binary, append(test.flags, "--", "go", "test", "-count=1", "-vet=off", "./...")...)
			cmd.Dir = folder
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != test.code {
				t.Errorf("exit code %d, want %d: %v", code, test.code, err)
			}
			for _, want := range test.output {
				if !strings.Contains(string(out), want) {
					t.Errorf("%q is missing in\n%s", want, out)
				}
			}
			if strings.Contains(string(out), "REPEATED") != (test.flags != nil) || strings.Contains(string(out), "TestOther: ") {
				t.Errorf("repeated the wrong tests:\n%s", out)
			}
		})
	}
}

// A user who waits sees the progress of the tests.
func TestProgress(t *testing.T) {
	var out strings.Builder
	r := newReport(&out, false, 10*time.Second)
	now := time.Unix(0, 0)
	r.now = func() time.Time { now = now.Add(4 * time.Second); return now }
	if err := r.read(strings.NewReader(events(`{"Action":"fail","Package":"p","Test":"TestB"}` + "\n"))); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "... 24s: 1 passed, 0 failed; running: p (20s)\n") {
		t.Errorf("output %q", out.String())
	}
}
