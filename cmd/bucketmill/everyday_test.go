package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
)

// Paths in a job file begin in its folder, wherever the command runs.
func TestPathsOfAJobFile(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{
		"jobs/python.yaml":   "program: word.py\ninput: [in.txt]\noutput: out-python\nreducers: 1\n",
		"jobs/word.py":       "def map_fn(k, v):\n    for w in v.split(): yield w, 1\ndef reduce_fn(k, vs):\n    yield k, sum(vs)\n",
		"jobs/in.txt":        "b a b\n",
		"jobs/builtin.yaml":  "program: wordcount\ninput: [./i*.txt]\noutput: ../out-builtin/\nreducers: 1\n",
		"jobs/commands.yaml": "mapper: sh run.sh\nprogram_files: [run.sh]\ninput: [in.txt]\noutput: out-commands\nreducers: 1\n",
		"jobs/run.sh":        "tr ' ' '\\n'\n",
		"other/in.txt":       "c\n",
	})
	for name, out := range map[string]string{"python": "jobs/out-python", "builtin": "out-builtin", "commands": "jobs/out-commands"} {
		for _, where := range []string{".", "jobs", "other"} {
			cmd := exec.Command(bucketmillBinary(t), "run", "--overwrite", "-f", must1(filepath.Rel(where, "jobs/"+name+".yaml"))(t))
			cmd.Dir = filepath.Join(folder, where)
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s in %s: %v\n%s", name, where, err, text)
			}
			checkOutput(t, filepath.Join(folder, out))
		}
	}
	// From standard input they begin in the working folder, like those of flags.
	cmd := exec.Command(bucketmillBinary(t), "run", "-f", "-", "-o", "from-stdin")
	cmd.Dir = filepath.Join(folder, "other")
	cmd.Stdin = strings.NewReader("program: wordcount\ninput: [in.txt]\n")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	sameLines(t, joined(checkOutput(t, filepath.Join(folder, "other/from-stdin"))), []string{"c\t1"})
	// Paths in flags begin in the working folder, even if the file is elsewhere.
	cmd = exec.Command(bucketmillBinary(t), "run", "-f", "../jobs/builtin.yaml", "-i", "in.txt", "-o", "by-flag")
	cmd.Dir = filepath.Join(folder, "other")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	sameLines(t, joined(checkOutput(t, filepath.Join(folder, "other/by-flag"))), []string{"c\t1"})
}

func must1[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func TestEndlessStandardInput(t *testing.T) {
	t.Parallel()
	zero, err := os.Open("/dev/zero")
	must(t, err)
	defer zero.Close()
	cmd := exec.Command(bucketmillBinary(t), "run", "-f", "-")
	cmd.Stdin = zero
	if text, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(text), "has more than") {
		t.Errorf("%v: %s", cmd.ProcessState, text)
	}
}

func TestHintsForArguments(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"a.md": "a\n", "b.md": "b\n"})
	a, b := folder+"/a.md", folder+"/b.md"
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"run", "wordcount", "-i", a, b, "-o", folder + "/out"}, `name one program.*quote a glob \(--input '\*\.md'\)`},
		{[]string{"submit", "wordcount", a, b, "-o", "s3://outbox/out"}, `quote a glob`},
		{[]string{"run", "wordcount", "-i", a, b, b, b, b, b, b, "-o", folder + "/out"}, `name one program, not "wordcount", ".*/b.md", ".*/b.md", ".*/b.md" and 3 more: `},
		{[]string{"run", "wordcount", folder, folder + "/out"}, `name the input with --input and the output with --output`},
		{[]string{"run", "wordcount", "-i", a, "-o", "-"}, `output "-": a job writes a folder, not standard output`},
		{[]string{"run", "wordcount", "-i", "-", "-o", folder + "/out"}, `input "-": a job reads files, not standard input`},
	} {
		r := command(t.Context(), c.args...)
		if r.code != exitUsage {
			t.Errorf("%q: exit code %d", c.args, r.code)
		}
		checkComplaint(t, r, c.says)
	}
	if names := tree(t, folder); len(names) != 2 {
		t.Errorf("left behind: %q", names)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	r := command(t.Context(), "version")
	if r.code != exitDone {
		t.Errorf("exit code %d", r.code)
	}
	wants(t, r.stdout, `^bucketmill devel \(go1\.\S+, \w+/\w+\)\n$`)
}

func TestQuietRun(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": "a\n"})
	r := runJob(t, "wordcount", "-i", folder+"/in.txt", "-o", folder+"/out", "--quiet")
	if r != (result{}) {
		t.Errorf("%+v", r)
	}
	r = runJob(t, "wordcount", "-i", folder+"/in.txt", "-o", folder+"/out", "-q")
	if r.code != exitFailed {
		t.Errorf("exit code %d", r.code)
	}
	checkComplaint(t, r, "is not empty")
}

// A quiet submission prints its id, or with --wait nothing; it prints errors.
func TestQuietSubmission(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	s.put("s3://inbox/a.txt", "a\n")
	folder := writeFiles(t, map[string]string{
		"helper.py": "def same(line):\n    return line\n",
		"job.py":    "from helper import same\ndef map_fn(line):\n    yield same(line), 1\n",
		"in.txt":    "a\n",
	})
	job := []string{folder + "/job.py", "-r", "0", "-i", "s3://inbox/a.txt", "-o"}
	r := s.command(append([]string{"submit", "-q"}, append(job, "s3://outbox/1")...)...)
	if id := strings.TrimSpace(r.stdout); r.code != exitDone || r.stderr != "" || len(id) != 26 {
		t.Errorf("%+v", r)
	}
	if r := s.command(append([]string{"submit", "--wait", "--quiet"}, append(job, "s3://outbox/2")...)...); r != (result{}) {
		t.Errorf("%+v", r)
	}
	r = s.command(append([]string{"submit", "-wq"}, append(job, "s3://outbox/2")...)...)
	if r.code != exitFailed || r.stdout != "" {
		t.Errorf("%+v", r)
	}
	wants(t, r.stderr, `^bucketmill: job failed: output .*is not empty`)
	if r := runJob(t, folder+"/job.py", "-q", "-r", "0", "-i", folder+"/in.txt", "-o", folder+"/out"); r != (result{}) {
		t.Errorf("%+v", r)
	}
}

func TestRunAsJSON(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": "a b\n"})
	for _, want := range []job.State{job.Completed, job.Failed} { // the second time the output exists
		r := runJob(t, "wordcount", "-i", folder+"/in.txt", "-o", folder+"/out", "--json", "-r", "1")
		var j api.Job
		d := json.NewDecoder(strings.NewReader(r.stdout))
		d.DisallowUnknownFields()
		if err := d.Decode(&j); err != nil || d.More() || j.State != want || (j.Error != nil) != (want == job.Failed) {
			t.Fatalf("%v: %s%s", err, r.stdout, r.stderr)
		}
		if want == job.Completed && (j.Counters["output_records"] != 2 || j.Inputs != 1 || j.Progress.Map.Done != 1 || j.Times.Ended == nil) {
			t.Errorf("%+v", j)
		}
	}
}

// The summary uses singular and plural.
func TestOneRecord(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": "a\n"})
	r := runJob(t, "wordcount", "-i", folder+"/in.txt", "-o", folder+"/out", "-r", "1")
	wants(t, r.stdout, `in 1 object, 1 record, `)
	wants(t, r.stdout, `, 1 record of 1 mapped\n`)
	wants(t, r.stdout, `in 1 part, 1 record\n`)
	r = runJob(t, "sort", "-i", folder+"/in.txt", "-o", folder+"/sorted", "-r", "0")
	wants(t, r.stderr, `  sort with 0 reducers sorts nothing`)
}

func TestStatusOfAllJobs(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	if out := s.must("status"); out != "" {
		t.Errorf("no jobs: %s", out)
	}
	ended, active := s.submit("-o", "s3://outbox/1"), s.submit("-o", "s3://outbox/2")
	s.must("cancel", ended)
	out := s.must("status")
	wants(t, out, `^ID .*\n`+active+` .*SUBMITTED`)
	if strings.Contains(out, ended) {
		t.Errorf("an ended job is active: %s", out)
	}
	var jobs api.JobList
	if s.json(&jobs, "status"); len(jobs.Jobs) != 1 || string(jobs.Jobs[0].ID) != active {
		t.Errorf("%+v", jobs)
	}
	checkComplaint(t, s.command("status", "--watch"), "takes one job")
}

func TestProgramsAsJSON(t *testing.T) {
	t.Parallel()
	var list struct {
		Programs []printedProgram `json:"programs"`
	}
	r := command(t.Context(), "programs", "--json")
	must(t, json.Unmarshal([]byte(r.stdout), &list))
	if len(list.Programs) < 9 || list.Programs[0].Name == "" || list.Programs[0].Summary == "" || list.Programs[0].Params == nil {
		t.Errorf("%+v", list)
	}
}

func TestSubmitWebhook(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	id := s.submit("--webhook", "https://example.com/hook")
	var job api.Job
	s.json(&job, "status", id)
	if !strings.Contains(string(job.Spec), `"webhook":"https://example.com/hook"`) {
		t.Errorf("spec %s", job.Spec)
	}
	if r := command(t.Context(), "run", "--webhook", "https://example.com/"); r.code != exitUsage {
		t.Errorf("run: exit code %d", r.code)
	}
}

func TestGenerateDoesNotOverwrite(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "texts")
	_, err := generate(t, "text", "-o", folder, "--size", "40KB", "--files", "4")
	must(t, err)
	writeFile(t, filepath.Join(folder, "text-mine.txt"), "mine")
	before := filesOf(t, folder)
	r := command(t.Context(), "generate", "text", "-o", folder, "--size", "30KB", "--files", "2", "--seed", "2")
	if r.code != exitFailed {
		t.Errorf("exit code %d", r.code)
	}
	checkComplaint(t, r, `text-00000\.txt already exists: --overwrite replaces it`)
	for name, text := range filesOf(t, folder) {
		if text != before[name] {
			t.Errorf("%s has changed", name)
		}
	}
	r = command(t.Context(), "generate", "text", "-o", folder, "--size", "30KB", "--files", "2", "--seed", "2", "--overwrite")
	if r.code != exitDone {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	sameTexts(t, "files", tree(t, folder), "text-00000.txt", "text-00001.txt", "text-mine.txt")
	must(t, errOf(command(t.Context(), "generate", "activity", "-o", folder, "--size", "1KB"))) // another kind does not matter
}

func errOf(r result) error {
	if r.code == exitDone {
		return nil
	}
	return os.ErrInvalid
}

func TestInspectOfSomethingElse(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a", "some text of somebody\n"} {
		folder := writeFiles(t, map[string]string{"a.txt": text})
		r := command(t.Context(), "inspect", folder+"/a.txt")
		if r.code != exitFailed {
			t.Errorf("exit code %d", r.code)
		}
		checkComplaint(t, r, `a\.txt is not a segment file`)
	}
}

func TestCompletionOfValues(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	s.put("s3://inbox/books/a.txt", "a\n")
	s.put("s3://inbox/books/b.txt", "b\n")
	s.put("s3://inbox/note", "n\n")
	s.put("s3://indoor/x", "x")
	id := s.submit()
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"run", ""}, []string{"wordcount", "sort"}},
		{[]string{"run", "--format", ""}, []string{"jsonl", "csv", "whole"}},
		{[]string{"submit", "--sort-order", ""}, []string{"partition", "total"}},
		{[]string{"run", "--compression", ""}, []string{"auto", "none"}},
		{[]string{"list", "--state", ""}, []string{"mapping", "failed"}},
		{[]string{"tasks", "x", "--side", ""}, []string{"map", "reduce"}},
		{[]string{"ls", "--server", s.url, "s3://in"}, []string{"s3://inbox/", "s3://indoor/"}},
		{[]string{"ls", "--server", s.url, "s3://inbox/"}, []string{"s3://inbox/books/", "s3://inbox/note"}},
		{[]string{"get", "--server", s.url, "s3://inbox/books/"}, []string{"s3://inbox/books/a.txt", "s3://inbox/books/b.txt"}},
		{[]string{"submit", "--server", s.url, "-i", "s3://inbox/b"}, []string{"s3://inbox/books/"}},
		{[]string{"status", "--server", s.url, ""}, []string{"last", id}},
		{[]string{"logs", "--server", s.url, ""}, []string{"last", id}},
	} {
		r := command(t.Context(), append([]string{"__completeNoDesc"}, c.args...)...)
		lines := strings.Split(r.stdout, "\n")
		for _, want := range c.want {
			found := false
			for _, line := range lines {
				found = found || line == want
			}
			if !found {
				t.Errorf("%q: no %s in %q", c.args, want, lines)
			}
		}
	}
	// Nothing is offered twice, and a folder's contents are not offered with it.
	r := command(t.Context(), "__completeNoDesc", "ls", "--server", s.url, "s3://inbox/")
	if strings.Count(r.stdout, "books") != 1 {
		t.Errorf("offered %q", r.stdout)
	}
}
