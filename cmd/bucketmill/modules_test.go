package main

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// project is a Python program of several files that counts words, ignoring case.
var project = map[string]string{
	"main/job.py": `from helper import norm
import shapes.round
from pathlib import Path

STOP = set((Path(__file__).parent / "stop.txt").read_text().split())
HERE = set(open("stop.txt").read().split())

def map_fn(line):
    from deep.inside import late
    assert STOP == HERE
    for word in line.split():
        if norm(word) not in STOP:
            yield late(norm(word)), shapes.round.Count(1)

def reduce_fn(key, values):
    import enum, statistics
    assert enum.Enum and statistics.OURS
    yield key, sum(v.n for v in values)
`,
	"main/helper.py":               "import sibling\ndef norm(word):\n    return sibling.lower(word)\n",
	"main/sibling.py":              "def lower(word):\n    return word.lower()\n",
	"main/shapes/__init__.py":      "from . import plain\nfrom .plain import *\n",
	"main/shapes/plain.py":         "from .more import x\n",
	"main/shapes/more/__init__.py": "from ..lines import *\nx = 1\n",
	"main/shapes/lines.py":         "",
	"main/shapes/round.py":         "class Count:\n    def __init__(self, n):\n        self.n = n\n",
	"main/deep/inside.py":          "import importlib\ndef late(word):\n    return importlib.import_module('deep.caf\u00e9').same(word)\n",
	"main/deep/caf\u00e9.py":       "def same(word):\n    return word\n",
	"main/statistics.py":           "OURS = True\n",
	"main/unused.py":               "raise Exception('nobody imports this')\n",
	"main/stop.txt":                "the\n",
	"in/a.txt":                     "The quick THE Quick\nbrown\n",
}

var projectModules = []string{"deep/caf\u00e9.py", "deep/inside.py", "helper.py", "shapes/__init__.py", "shapes/lines.py", "shapes/more/__init__.py", "shapes/plain.py", "shapes/round.py", "sibling.py", "statistics.py"}

const projectCounts = "brown\t1\nquick\t2\n"

// The modules that a Python program imports from its folder are sent with it, and so are files that
// are named.
func TestPythonModulesAreSentAlong(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, project)
	output := filepath.Join(t.TempDir(), "out")
	r := runJob(t, folder+"/main/job.py", "-i", folder+"/in", "-o", output, "-r", "1", "--program-file", folder+"/main/stop.txt")
	if r.code != exitDone {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	if got := strings.Join(joined(checkOutput(t, output)), "\n") + "\n"; got != projectCounts {
		t.Errorf("the output is %q", got)
	}
	if want := "sent with the program: " + firstFew(projectModules, 6); !strings.Contains(r.stderr, want) {
		t.Errorf("stderr has no %q:\n%s", want, r.stderr)
	}
	if left := tree(t, folder); slices.ContainsFunc(left, func(name string) bool { return strings.Contains(name, "__pycache__") }) {
		t.Errorf("left behind: %q", left)
	}
}

// The check before the job sees only what an executor sees: a module that is imported only while
// the job runs must be sent with --program-file.
func TestModulesThatCannotBeSeenAreMissed(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{
		"in.txt": "a\n", "hidden.py": "", "lib/more.py": "", "lib/.x": "", "lib/__pycache__/more.pyc": "",
		"job.py": "import importlib\nfor name in ['hid' + 'den', 'lib' + '.more']:\n    importlib.import_module(name)\ndef map_fn(line):\n    yield line, 1\n",
	})
	args := []string{folder + "/job.py", "-i", folder + "/in.txt", "-r", "0", "--program-file"}
	r := runJob(t, append(args, folder+"/lib", "-o", folder+"/out")...)
	checkComplaint(t, r, `job\.py:3: ModuleNotFoundError: No module named 'hidden'; it is neither sent along \(--program-file\) nor installed`)
	mustRun(t, folder+"/out", append(args, folder+"/lib", "--program-file", folder+"/hidden.py")...)
}

// An error in a module is shown with the module's name and line.
func TestFaultsInModules(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ helper, says, shown string }{
		"map_fn": {"def norm(w):\n    return 1 // 0\n", `helper\.py:2: map_fn raised ZeroDivisionError`, `File "helper.py", line 2`},
		"import": {"import os\nos.nosuchname\n", `helper\.py:2: AttributeError`, `File "helper.py", line 2`},
		"syntax": {"def norm(w)\n", `helper\.py:1: SyntaxError`, `File "helper.py", line 1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := writeFiles(t, map[string]string{
				"in.txt": "a\n", "helper.py": test.helper, "job.py": "from helper import norm\ndef map_fn(line):\n    yield norm(line), 1\n",
			})
			r := runJob(t, folder+"/job.py", "-i", folder+"/in.txt", "-o", folder+"/out", "-r", "0")
			checkComplaint(t, r, test.says)
			if !strings.Contains(r.stderr, test.shown) {
				t.Errorf("stderr has no %q:\n%s", test.shown, r.stderr)
			}
		})
	}
}

// A server gets the modules with the program: from submit, and from any HTTP client as parts named
// file.
func TestServerGetsModules(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	folder := writeFiles(t, project)
	s.put("s3://inbox/a.txt", project["in/a.txt"])
	id := strings.TrimSpace(s.must("submit", folder+"/main/job.py", "-r", "1", "-i", "s3://inbox/a.txt", "-o", "s3://outbox/1", "--program-file", folder+"/main/stop.txt"))
	s.must("status", id, "--watch")
	if got := s.must("results", id); got != projectCounts {
		t.Errorf("submitted, the output is %q", got)
	}
	id = s.post(folder+"/main", "spec", `{"program":"job.py","input":["s3://inbox/a.txt"],"output":"s3://outbox/2","reducers":1}`,
		"program", "job.py", append([]string{"stop.txt"}, projectModules...)...)
	s.must("status", id, "--watch")
	if got := s.must("results", id); got != projectCounts {
		t.Errorf("posted, the output is %q", got)
	}
}

// post posts a form with a spec, a program, and files, whose names are paths below a folder, and
// returns the job's id.
func (s *testServer) post(folder, specPart, spec, programPart, program string, files ...string) string {
	s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part := func(name, file, text string) {
		w, err := form.CreateFormFile(name, file)
		must(s.t, err)
		_, err = io.WriteString(w, text)
		must(s.t, err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(folder, name))
		must(s.t, err)
		return string(text)
	}
	part(specPart, "spec.json", spec)
	part(programPart, program, read(program))
	for _, name := range files {
		part("file", name, read(name))
	}
	must(s.t, form.Close())
	resp, err := http.Post(s.url+"/v1/jobs", form.FormDataContentType(), &body)
	must(s.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(s.t, err)
	_, id, ok := strings.Cut(string(text), `"id":"`)
	if resp.StatusCode != http.StatusCreated || !ok {
		s.t.Fatalf("%s: %s", resp.Status, text)
	}
	id, _, _ = strings.Cut(id, `"`)
	return id
}

// Executables find the files that are sent along in their working folder; builtins take none.
func TestProgramFilesOfOtherPrograms(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": "a\n", "words/x/y.txt": "b\n", "job.yaml": "program: wordcount\n"})
	parts := mustRun(t, folder+"/out1", "--mapper", "cat - words/x/y.txt", "-r", "0", "-i", folder+"/in.txt", "--program-file", folder+"/words")
	if got := joined(parts); !slices.Equal(got, []string{"a\t", "b\t"}) {
		t.Errorf("the output is %q", got)
	}
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"builtin":          {[]string{"wordcount", "--program-file", folder + "/in.txt"}, `the builtin program wordcount takes no program files`},
		"named as program": {[]string{folder + "/job.py", "--program-file", folder + "/in.txt#job.py"}, `a file has the name of the program, job\.py`},
		"job file":         {[]string{folder + "/job.yaml"}, `job\.yaml is not a program: did you mean --file .*job\.yaml`},
		"outside":          {[]string{folder + "/job.py", "--program-file", folder + "/in.txt#../x"}, `a path without \.\.`},
	} {
		writeFile(t, folder+"/job.py", "def map_fn(line):\n    yield line, 1\n")
		r := runJob(t, append(test.args, "-i", folder+"/in.txt", "-o", folder+"/out2", "-r", "1")...)
		if r.code != exitUsage {
			t.Errorf("%s: exit code %d", name, r.code)
		}
		checkComplaint(t, r, test.says)
	}
}

// A program that can't start fails at once, on servers too: it is not tried again.
func TestHopelessProgramsFailOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	s.put("s3://inbox/a.txt", "a\nb\n")
	const functions = "def map_fn(line):\n    yield line, 1\ndef reduce_fn(key, values):\n    yield key, 1\n"
	for name, test := range map[string]struct{ program, says string }{
		"syntax":     {"def map_fn(line)\n", "SyntaxError"},
		"no map":     {"x = 1\n", "no function map_fn"},
		"no reduce":  {"def map_fn(line):\n    yield line, 1\n", "no function reduce_fn; without reducers (--reducers 0) it needs none"},
		"no module":  {"import nosuchmodule\n" + functions, "No module named 'nosuchmodule'"},
		"import":     {"1 / 0\n" + functions, "ZeroDivisionError"},
		"setup":      {"def setup(params):\n    params['colour']\n" + functions, "KeyError: 'colour'"},
		"exit":       {"import sys\nsys.exit(3)\n" + functions, "SystemExit: 3"},
		"hard exit":  {"import os\nos._exit(3)\n" + functions, "exit status 3"},
		"signature":  {"def map_fn(a, b, c):\n    pass\n" + functions[len("def map_fn(line):\n    yield line, 1\n"):], "map_fn must take"},
		"not python": {"\x00\x01", "null bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := writeFiles(t, map[string]string{"job.py": test.program})
			id := s.post(folder, "spec", `{"program":"job.py","input":["s3://inbox/a.txt"],"output":"s3://outbox/`+strings.ReplaceAll(name, " ", "-")+`"}`, "program", "job.py")
			r := s.command("status", id, "--watch")
			if r.code != exitFailed {
				t.Errorf("exit code %d", r.code)
			}
			for _, want := range []string{test.says, "given up after 1 failed attempt"} {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("stderr has no %q:\n%s", want, r.stderr)
				}
			}
		})
	}
}

// An error that a program has on every machine is reported before it is submitted. One that may be
// only this machine's does not prevent the submission.
func TestSubmitTriesTheProgram(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	for name, test := range map[string]struct {
		program string
		sent    bool
		says    string
	}{
		"syntax":    {"def map_fn(line)\n", false, `job\.py:1: SyntaxError`},
		"no reduce": {"def map_fn(line):\n    yield line, 1\n", false, `no function reduce_fn`},
		"no module": {"import nosuchmodule\n", true, `(?s)warning: the program does not start on this machine.*nosuchmodule`},
		"elsewhere": {"open('/nosuchfile')\n", true, `(?s)warning: the program does not start on this machine.*nosuchfile`},
	} {
		folder := writeFiles(t, map[string]string{"job.py": test.program})
		args := []string{"submit", folder + "/job.py", "-i", "s3://inbox/a.txt", "-o", "s3://outbox/" + strings.ReplaceAll(name, " ", "-")}
		r := s.command(args...)
		if sent := r.code == exitDone; sent != test.sent {
			t.Errorf("%s: exit code %d\n%s", name, r.code, r.stderr)
		}
		if !regexp.MustCompile(test.says).MatchString(r.stderr) {
			t.Errorf("%s: stderr is\n%s", name, r.stderr)
		}
		if r := s.command(append(args, "--no-check")...); r.code != exitDone {
			t.Errorf("%s with --no-check: exit code %d\n%s", name, r.code, r.stderr)
		}
	}
}

// An executable that does not know the protocol is soon distinguished from a Bucketmill program.
func TestExecutablesThatAreNoPrograms(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"reads lines":     "#!/bin/sh\nwhile read -r line; do echo \"$line\"; done\n",
		"reads silently":  "#!/bin/sh\ncat >/dev/null\n",
		"echoes":          "#!/bin/sh\nexec cat\n",
		"talks":           "#!/bin/sh\necho hello world\nsleep 60\n",
		"ends":            "#!/bin/sh\nexit 0\n",
		"fails":           "#!/bin/sh\nexit 3\n",
		"says half":       "#!/bin/sh\nprintf abc\n",
		"reads in python": "#!/usr/bin/env python3\nimport sys\nfor line in sys.stdin.buffer:\n    print(len(line))\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := writeFiles(t, map[string]string{"in.txt": "a\n", "map": script})
			must(t, os.Chmod(folder+"/map", 0o755))
			begun := time.Now()
			r := runJob(t, folder+"/map", "-i", folder+"/in.txt", "-o", folder+"/out")
			checkComplaint(t, r, `it does not seem to be a Bucketmill program.* use --mapper`)
			if took := time.Since(begun); took > 8*time.Second { // the wait for READY is 10 s
				t.Errorf("it took %v", took)
			}
		})
	}
}

// On a server such an executable fails once, even if it waits for more input.
func TestServerTellsExecutablesThatAreNoPrograms(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	s.put("s3://inbox/a.txt", "a\nb\n")
	for i, script := range []string{
		"#!/bin/sh\nwhile read -r line; do echo \"$line\"; done\n", "#!/bin/sh\ncat >/dev/null\n", "#!/bin/sh\nexec cat\n", "no program at all",
	} {
		folder := writeFiles(t, map[string]string{"map": script})
		id := s.post(folder, "spec", fmt.Sprintf(`{"program":"map","input":["s3://inbox/a.txt"],"output":"s3://outbox/%d"}`, i), "program", "map")
		if r := s.command("status", id, "--watch"); !strings.Contains(r.stderr, "given up after 1 failed attempt") {
			t.Errorf("%q: %s", script, r.stderr)
		}
	}
}
