package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A Python map_fn knows the object of its record: in every format, with several objects per task,
// several tasks per object, and objects with odd names.
func TestPythonKnowsItsInput(t *testing.T) {
	t.Parallel()
	names := []string{"plain", "with blank and %20", "caf\u00e9#?&=;", "'quoted'\"", "a+b", "deep/er"}
	program := `def map_fn(value):
    yield INPUT.rsplit("/in/", 1)[1], 1
    assert INPUT.startswith("file:///")

def reduce_fn(key, values):
    yield key, (INPUT, sum(values))
`
	for name, test := range map[string]struct {
		record string // of an object, after the header
		header string
		args   []string
	}{
		"text":          {"one\n", "", nil},
		"jsonl":         {`{"a":1}` + "\n", "", []string{"--format", "jsonl"}},
		"csv":           {"1,2\n", "a,b\n", []string{"--format", "csv"}},
		"csv-multiline": {"1,\"x\ny\"\n", "a,b\n", []string{"--format", "csv-multiline"}},
		"fixed":         {"four", "", []string{"--format", "fixed:4"}},
		"small splits":  {strings.Repeat("word ", 20) + "\n", "", []string{"--split-size", "4KiB"}},
		"sorted":        {"one\n", "", []string{"--sort-values", "--sort-order", "total"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"job.py": program}
			for _, n := range names {
				files["in/"+n] = test.header + strings.Repeat(test.record, 300)
			}
			folder := writeFiles(t, files)
			lines := joined(mustRun(t, filepath.Join(t.TempDir(), "out"), append([]string{folder + "/job.py", "-i", folder + "/in", "-r", "2"}, test.args...)...))
			var want []string
			for _, n := range names {
				want = append(want, n+"\t[null, 300]")
			}
			slices.Sort(want)
			sameLines(t, lines, want)
		})
	}
}

// INPUT is None without a record, also while combine_fn is called between records. An INPUT that
// the job file defines stays.
func TestInputElsewhere(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{
		"in/a": strings.Repeat("word\n", 8000),
		"job.py": `AT_IMPORT = INPUT
def setup(params):
    assert INPUT is None and AT_IMPORT is None
def map_fn(line):
    assert INPUT.endswith("/in/a")
    yield line, "x" * 20000
def combine_fn(key, values):
    assert INPUT is None
    yield key, "x"
def reduce_fn(key, values):
    yield key, INPUT
`,
		"own.py":  "INPUT = 'my own'\ndef map_fn(line):\n    yield INPUT, 1\n",
		"none.py": "INPUT = None\ndef map_fn(line):\n    yield INPUT[-1], 1\n",
	})
	for program, want := range map[string]string{"job.py": "word\tnull", "own.py": "my own\t1", "none.py": "a\t1"} {
		reducers := "1"
		if program != "job.py" {
			reducers = "0"
		}
		lines := joined(mustRun(t, filepath.Join(t.TempDir(), "out"), folder+"/"+program, "-i", folder+"/in", "-r", reducers))
		if lines = slices.Compact(lines); len(lines) != 1 || lines[0] != want {
			t.Errorf("%s gives %q, not %q", program, lines[0], want)
		}
	}
}

// A job file can be tested as PYTHON.md describes: its globals are attributes of the module.
func TestJobFileUnderATestRunner(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{
		"job.py": "def map_fn(line):\n    COUNTERS['lines'] += 1\n    yield INPUT, PARAMS['x'] + line\n",
		"test_job.py": `import collections, unittest
import job

class Test(unittest.TestCase):
    def test_map(self):
        job.PARAMS, job.COUNTERS, job.INPUT = {"x": "1"}, collections.Counter(), "s3://bucket/a.txt"
        self.assertEqual(list(job.map_fn("2")), [("s3://bucket/a.txt", "12")])
        self.assertEqual(job.COUNTERS, {"lines": 1})
`,
	})
	cmd := exec.CommandContext(t.Context(), "python3", "-m", "unittest", "-v", "test_job")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Ran 1 test") {
		t.Errorf("%v: %s", err, out)
	}
}
