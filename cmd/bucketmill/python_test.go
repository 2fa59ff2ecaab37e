package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const pythonWordCount = `def map_fn(key, value):
    for word in value.split():
        yield (word, 1)

def reduce_fn(key, values):
    yield (key, sum(values))
`

const pythonCombine = `
def combine_fn(key, values):
    yield (key, sum(values))
`

func TestPythonCountsAsTheBuiltinDoes(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"books/a.txt": sampleText(t, 150<<10, 4),
		"books/b.txt": "caf\u00e9 na\u00efve \u65e5\u672c\r\nto be\n\n\nto be",
		"word.py":     pythonWordCount,
		"combine.py":  pythonWordCount + pythonCombine,
		"line.py":     strings.Replace(pythonWordCount, "map_fn(key, value):", "map_fn(value):", 1),
		"lists.py": `def map_fn(key, value):
    return [(word, 1) for word in value.split()]

def reduce_fn(key, values):
    return (key, sum(values))
`,
	}
	folder := writeFiles(t, files)
	run := func(program string, args ...string) []part {
		return mustRun(t, filepath.Join(t.TempDir(), "out"),
			append([]string{program, "-i", folder + "/books", "--executors", "2"}, args...)...)
	}
	want := joined(run("wordcount", "-r", "1"))
	for _, variant := range []struct {
		program string
		args    []string
	}{
		{"word.py", []string{"--split-size", "64KiB", "-r", "1"}},
		{"combine.py", []string{"--split-size", "64KiB", "-r", "5"}},
		{"combine.py", []string{"--split-size", "1GiB", "-r", "1"}},
		{"line.py", []string{"-r", "2"}},
		{"lists.py", []string{"-r", "2"}},
	} {
		t.Run(variant.program+" "+strings.Join(variant.args, " "), func(t *testing.T) {
			parts := run(filepath.Join(folder, variant.program), variant.args...)
			checkSorted(t, parts)
			sameLines(t, joined(parts), want)
		})
	}
}

// An error of a Python program is shown with file, line, traceback and record.
func TestProgramWithoutMeasureFails(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{
		"in.txt": "first\n",
		"job.py": "def map_fn(value):\n    hoard = []\n    for n in range(100):\n        hoard.append(bytearray(10**7))\n    yield (value, 1)\n",
	})
	args := []string{folder + "/job.py", "-i", folder + "/in.txt", "-o", folder + "/out", "-r", "0", "--max-attempts", "1"}
	checkComplaint(t, runJob(t, append(args, "--program-memory", "300MiB")...), `job\.py:4: map_fn raised MemoryError.*in\.txt`)
	mustRun(t, folder+"/out", args...) // every machine has this much
}

func TestPythonFaults(t *testing.T) {
	t.Parallel()
	const reduce = "def reduce_fn(key, values):\n    yield (key, sum(values))\n"
	const mapper = "def map_fn(key, value):\n    yield (value, 1)\n"
	for _, fault := range []struct {
		name, program string
		sentence      string   // the line of the error
		shown         []string // elsewhere on stderr
	}{
		{"syntax", "def map_fn(key, value)\n    pass\n", `job\.py:1: SyntaxError`, []string{"def map_fn(key, value)"}},
		{"no map function", reduce, `job\.py: .*map_fn`, nil},
		{"no reduce function", mapper, `job\.py: .*reduce_fn`, nil},
		{"missing module", "import nosuchmodule\n" + mapper + reduce, `job\.py:1: ModuleNotFoundError.*nosuchmodule`, nil},
		{
			"exception in map", "def map_fn(key, value):\n    yield (value, 1 / (len(value) - 3))\n" + reduce,
			`job\.py:2: map_fn raised ZeroDivisionError.*in\.txt at byte 6, value 'two'`,
			[]string{"Traceback", "line 2", "given up after"},
		},
		{
			"exception in reduce", mapper + "def reduce_fn(key, values):\n    raise ValueError('no ' + key)\n",
			`job\.py:4: reduce_fn raised ValueError: no first \(key 'first'\)`,
			[]string{"Traceback", "line 4", "reduce 0"},
		},
		{"exit", "import os\ndef map_fn(key, value):\n    os._exit(3)\n" + reduce, `job\.py: .*(exit|status).*3`, nil},
		{"signal", "import os\ndef map_fn(key, value):\n    os.kill(os.getpid(), 9)\n" + reduce, `job\.py: .*killed`, nil},
		{"last words", "import sys\ndef map_fn(key, value):\n    print('about to fail', file=sys.stderr)\n    raise KeyError('x')\n" + reduce, `KeyError`, []string{"about to fail"}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			folder := writeFiles(t, map[string]string{"in.txt": "first\ntwo\nthird\n", "job.py": fault.program})
			r := runJob(t, folder+"/job.py", "-i", folder+"/in.txt", "-o", folder+"/out", "-r", "1", "--max-attempts", "2")
			if r.code != exitFailed {
				t.Errorf("exit code %d", r.code)
			}
			checkComplaint(t, r, fault.sentence)
			for _, text := range fault.shown {
				if !strings.Contains(r.stderr, text) {
					t.Errorf("stderr has no %q:\n%s", text, r.stderr)
				}
			}
			if left := tree(t, folder); len(left) != 2 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// "records of N mapped" counts what map functions emit, with every kind of combiner.
func TestMappedRecordsAreCountedBeforeTheCombiner(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{
		"text.txt": strings.Repeat("to be or not to be\n", 500), "combine.py": pythonWordCount + pythonCombine,
	})
	for name, args := range map[string][]string{
		"builtin":  {"wordcount"},
		"python":   {filepath.Join(folder, "combine.py")},
		"commands": {"--mapper", `tr ' ' '\n'`, "--combiner", "uniq", "--reducer", "uniq"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runJob(t, append(args, "-i", folder+"/text.txt", "-r", "1", "-o", filepath.Join(t.TempDir(), "out"))...)
			if r.code != exitDone || !strings.Contains(r.stdout, " 4 records of 3,000 mapped\n") {
				t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
			}
		})
	}
}

// The example of user activity works with "generate activity", where most amounts are empty.
func TestUserActivityOfGeneratedData(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if _, err := generate(t, "activity", "--output", folder+"/events", "--size", "200KB"); err != nil {
		t.Fatal(err)
	}
	lines := joined(mustRun(t, folder+"/out", "../../examples/user_activity.py", "--format", "csv", "-i", folder+"/events/*.csv", "-r", "1"))
	events, bought := 0, false
	for _, line := range lines {
		fields := strings.Split(line, "\t")
		if len(fields) != 5 {
			t.Fatalf("the line %q", line)
		}
		n, err := strconv.Atoi(fields[1])
		must(t, err)
		events += n
		bought = bought || fields[2] != "0.00"
	}
	files, err := filepath.Glob(folder + "/events/*.csv")
	must(t, err)
	rows := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		must(t, err)
		rows += strings.Count(string(text), "\n") - 1 // without the header
	}
	if events != rows || rows < 1000 || !bought {
		t.Errorf("%d events of %d rows; something was bought: %v", events, rows, bought)
	}

	r := runJob(t, "activity", "--format", "csv", "-i", folder+"/events/*.csv", "-r", "1", "-o", folder+"/builtin")
	if r.code != exitDone {
		t.Fatalf("the builtin: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	wants(t, r.stdout, `malformed records +0\n`)
	sameLines(t, joined(checkOutput(t, folder+"/builtin")), lines)
}
