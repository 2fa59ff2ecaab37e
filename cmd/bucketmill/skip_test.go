package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// badLines is the input of the tests: pickyProgram fails on some of its lines. The lines have
// different lengths, so that splits of different sizes end in different places.
func badLines(n int, bad map[int]string) string {
	var text strings.Builder
	for i := range n {
		if line, ok := bad[i]; ok {
			fmt.Fprintln(&text, line)
			continue
		}
		fmt.Fprintf(&text, "word%d %0*d\n", i%40, i%13, 0)
	}
	return text.String()
}

// pickyProgram fails on lines in every way in which a program can, and on keys.
const pickyProgram = `import os, signal, sys

def map_fn(key, value):
    if value.startswith("raise"):
        raise ValueError("no " + value)
    if value.startswith("exit"):
        os._exit(7)
    if value.startswith("leave"):
        sys.exit("enough")
    if value.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if value.startswith("\udcff"):
        raise KeyError("not UTF-8")
    yield (value.split(" ")[0], 1)

def reduce_fn(key, values):
    if key == "word7":
        raise KeyError(key)
    if key == "word31":
        os.kill(os.getpid(), signal.SIGKILL)
    yield (key, sum(values))
`

// skippedLine is a line of a _skipped object, without what depends on the split.
type skippedLine struct {
	Job, Task, Input, Error, Traceback string
	Offset, Record, Values             int64
	Key, Value                         struct {
		Text   string
		Base64 []byte
		Bytes  int
	}
}

// filesLike reads the files below a folder whose paths match a pattern.
func filesLike(t *testing.T, folder, pattern string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(path, folder+"/")] = string(data)
	}
	return files
}

// skippedLines reads the records that an output lists as skipped.
func skippedLines(t *testing.T, out string) (lines []skippedLine) {
	t.Helper()
	for name, text := range filesLike(t, out, "_skipped/*") {
		for text := range strings.Lines(text) {
			var line skippedLine
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
			if name != "_skipped/"+line.Task+".jsonl" {
				t.Errorf("%s has the line %s", name, text)
			}
			lines = append(lines, line)
		}
	}
	slices.SortFunc(lines, func(a, b skippedLine) int {
		return strings.Compare(fmt.Sprintf("%s %012d", a.Key.Text, a.Offset), fmt.Sprintf("%s %012d", b.Key.Text, b.Offset))
	})
	return lines
}

func TestSkipBadRecords(t *testing.T) {
	t.Parallel()
	bad := map[int]string{0: "raise first", 17: "raise 17", 18: "crash behind it", 900: "exit now", 1500: "\xff\xfe", 2000: "leave", 2999: "crash last"}
	text := badLines(3000, bad)
	folder := writeFiles(t, map[string]string{"in.txt": text, "job.py": pickyProgram})
	for _, variant := range [][]string{{"--maps", "1", "-r", "1"}, {"--maps", "3", "-r", "2"}, {"--split-size", "9000", "-r", "1", "--max-attempts", "1"}} {
		t.Run(strings.Join(variant, " "), func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			args := append([]string{folder + "/job.py", "-i", folder + "/in.txt", "-o", out, "--skip-bad-records", "9"}, variant...)
			r := runJob(t, args...)
			if r.code != exitDone || !strings.Contains(r.stdout, "\n9 records were skipped: see "+out+"/_skipped/\n") {
				t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
			}
			counts := map[string]string{}
			for _, part := range filesLike(t, out, "part-*") {
				for line := range strings.Lines(part) {
					word, count, _ := strings.Cut(strings.TrimSpace(line), "\t")
					counts[word] = count
				}
			}
			for n := range 40 {
				want := 75
				for i := range bad {
					if i%40 == n {
						want--
					}
				}
				word, text := fmt.Sprintf("word%d", n), fmt.Sprint(want)
				if n == 7 || n == 31 {
					text = ""
				}
				if counts[word] != text {
					t.Errorf("%s is counted %q, want %q", word, counts[word], text)
				}
			}
			checkBadLines(t, skippedLines(t, out), folder, text, bad)
		})
	}
}

// checkBadLines checks that the bad lines and the two bad keys are listed, with place and reason,
// and no others.
func checkBadLines(t *testing.T, lines []skippedLine, folder, text string, bad map[int]string) {
	t.Helper()
	if len(lines) != len(bad)+2 {
		t.Fatalf("%d records are skipped: %+v", len(lines), lines)
	}
	reasons := map[string]string{
		"raise": `job.py:5: map_fn raised ValueError: no raise`, "exit": "exit status 7", "leave": "SystemExit",
		"crash": "signal: segmentation fault", "\xff\xfe": "not UTF-8",
		"word31": "signal: killed", "word7": `job.py:18: reduce_fn raised KeyError`,
	}
	for _, line := range lines {
		got := line.Value.Text + string(line.Value.Base64) + line.Key.Text
		word, _, _ := strings.Cut(got, " ")
		if !strings.Contains(line.Error, reasons[word]) || reasons[word] == "" {
			t.Errorf("%q failed for %q", got, line.Error)
		}
		if line.Key.Text != "" {
			if line.Values < 70 || line.Values > 75 {
				t.Errorf("key %s has %d values", got, line.Values)
			}
			continue
		}
		if line.Input != "file://"+folder+"/in.txt" || !strings.HasPrefix(text[line.Offset:], got+"\n") ||
			bad[strings.Count(text[:line.Offset], "\n")] != got || line.Value.Bytes != len(got) {
			t.Errorf("listed: %+v", line)
		}
	}
}

func TestSkipBadRecordsWithoutReducers(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": badLines(500, map[int]string{33: "exit", 444: "raise"}), "job.py": pickyProgram})
	out := filepath.Join(folder, "out")
	r := runJob(t, folder+"/job.py", "-i", folder+"/in.txt", "-o", out, "-r", "0", "--maps", "2", "--skip-bad-records", "2")
	lines := skippedLines(t, out)
	files := filesLike(t, out, "part-*")
	if r.code != exitDone || len(lines) != 2 || strings.Count(files["part-00000"]+files["part-00001"], "\n") != 498 {
		t.Errorf("exit code %d, %+v\n%s%s", r.code, lines, r.stdout, r.stderr)
	}
}

func TestTooManyBadRecords(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": badLines(400, map[int]string{10: "raise", 20: "exit", 390: "crash"}), "job.py": pickyProgram})
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"in one task":        {[]string{"--maps", "1"}, `more than 2 bad records, the most that may be skipped`},
		"in the job":         {[]string{"--maps", "2"}, `more bad records than may be skipped: 3 so far, \d in m\d alone; the limit is 2`},
		"in it without maps": {[]string{"--maps", "2", "-r", "0"}, `more bad records than may be skipped: 3 so far`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{folder + "/job.py", "-i", folder + "/in.txt", "-o", filepath.Join(folder, name), "--skip-bad-records", "2"}, test.args...)
			r := runJob(t, args...)
			if r.code != exitFailed {
				t.Errorf("exit code %d", r.code)
			}
			checkComplaint(t, r, test.says)
			checkEmpty(t, filepath.Join(folder, name))
		})
	}
}

// A failure that no record causes fails the job, and the error says why nothing was skipped.
func TestFaultsThatNoRecordIsToBlameFor(t *testing.T) {
	t.Parallel()
	const reduce = "\ndef reduce_fn(key, values):\n    yield (key, sum(values))\n"
	for name, test := range map[string]struct{ program, says string }{
		"at the end": {"import atexit, os\natexit.register(os._exit, 4)\ndef map_fn(key, value):\n    yield (value, 1)\n" + reduce, `exit status 4.*no record was skipped for this: it fails with no input, too`},
		"together": {
			"seen = []\ndef map_fn(key, value):\n    seen.append(value)\n    assert len(seen) < 50\n    yield (value, 1)\n" + reduce,
			`AssertionError.*no record was skipped for this: it does not fail on any record alone`,
		},
		"in combine_fn": {
			"def map_fn(key, value):\n    yield (value, 1)\ndef combine_fn(key, values):\n    raise ValueError('no ' + key)\n" + reduce,
			`combine_fn raised ValueError.*no record was skipped for this: it does not fail on any record alone`,
		},
		"once": {
			"import os\ndef map_fn(key, value):\n    if 'probe' not in os.getcwd().split(os.sep):\n        raise OSError('now')\n    yield (value, 1)\n" + reduce,
			`OSError: now.*no record was skipped for this: it did not fail again`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := writeFiles(t, map[string]string{"in.txt": badLines(100, nil) + badLines(100, nil), "job.py": test.program})
			r := runJob(t, folder+"/job.py", "-i", folder+"/in.txt", "-o", folder+"/out", "-r", "1", "--skip-bad-records", "100", "--max-attempts", "2")
			if r.code != exitFailed {
				t.Errorf("exit code %d\n%s", r.code, r.stdout)
			}
			checkComplaint(t, r, test.says)
			checkEmpty(t, folder+"/out")
		})
	}
}

// Builtins handle malformed records in their own way.
func TestBuiltinsSkipNoRecords(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.log": "no access log\n"})
	r := runJob(t, "accesslog", "-p", "strict=true", "-i", folder+"/in.log", "-o", folder+"/out", "--skip-bad-records", "100")
	if r.code != exitFailed || regexp.MustCompile(`no record was skipped|may be skipped`).MatchString(r.stderr) {
		t.Errorf("exit code %d", r.code)
	}
	checkComplaint(t, r, "malformed record")
	checkEmpty(t, folder+"/out")
}

// When an output is overwritten, its skipped records are removed.
func TestOverwriteSkipped(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": badLines(300, map[int]string{1: "raise", 299: "raise"}), "good.txt": badLines(5, nil), "job.py": pickyProgram})
	run := func(wantTasks int, args ...string) {
		t.Helper()
		r := runJob(t, append([]string{folder + "/job.py", "-o", folder + "/out", "-r", "1", "--skip-bad-records", "4", "--overwrite"}, args...)...)
		if r.code != exitDone {
			t.Fatalf("exit code %d\n%s", r.code, r.stderr)
		}
		if names := tree(t, folder+"/out/_skipped"); len(names) != wantTasks {
			t.Errorf("%q is skipped", names)
		}
	}
	run(3, "-i", folder+"/in.txt", "--maps", "2")
	run(0, "-i", folder+"/good.txt")
}
