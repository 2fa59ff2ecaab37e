package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mistake is a command line that can't succeed. In its arguments and patterns IN means a folder
// that contains words.txt.
type mistake struct {
	name   string
	args   []string // after "run", unless the first is another command
	code   int
	stderr string // a regular expression for the one line of the error
}

func mistakes() []mistake {
	job := func(args ...string) []string {
		return append([]string{"wordcount", "-i", "IN/words.txt", "-o", "IN/out"}, args...)
	}
	return []mistake{
		{"missing input", []string{"wordcount", "-i", "IN/nope.txt", "-o", "IN/out"}, 1, `IN/nope.txt: no such object`},
		{"one of two inputs missing", job("-i", "IN/nope.txt"), 1, `IN/nope.txt: no such object`},
		{"glob without match", []string{"wordcount", "-i", "IN/full/*.zip", "-o", "IN/out"}, 1, `IN/full/\*\.zip: no object and no folder matches the glob`},
		{"malformed glob", []string{"wordcount", "-i", "IN/[a", "-o", "IN/out"}, 1, `IN/\[a: .*malformed`},
		{"folder of hidden files", []string{"wordcount", "-i", "IN/hidden", "-o", "IN/out"}, 1, `IN/hidden: .*begins? with _ or \. `},
		{"symbolic link to itself", []string{"wordcount", "-i", "IN/links/loop", "-o", "IN/out"}, 1, `IN/links/loop: .*symbolic links`},
		{"broken symbolic link", []string{"wordcount", "-i", "IN/links/broken", "-o", "IN/out"}, 1, `IN/links/broken: no such`},
		{"folder with a broken symbolic link", []string{"wordcount", "-i", "IN/links", "-o", "IN/out"}, 1, `IN/links/broken: .*leads nowhere`},
		{"unknown input scheme", []string{"wordcount", "-i", "http://x/y", "-o", "IN/out"}, 2, `"http://x/y".* scheme "http" is not one of s3, file`},
		{"output is a file", []string{"wordcount", "-i", "IN/words.txt", "-o", "IN/empty.txt"}, 1, `output .*IN/empty.txt: exists already`},
		{"output is a file, overwrite", []string{"wordcount", "-i", "IN/words.txt", "-o", "IN/empty.txt", "--overwrite"}, 1, `IN/empty.txt`},
		{"output below a file", []string{"wordcount", "-i", "IN/words.txt", "-o", "IN/empty.txt/out"}, 1, `IN/empty.txt/out`},
		{"output is the input", []string{"wordcount", "-i", "IN/words.txt", "-o", "IN/words.txt", "--overwrite"}, 2, `output .*IN/words.txt is also the input .*IN/words.txt: .*choose`},
		{"output in the input", []string{"wordcount", "-i", "IN/full", "-o", "IN/full/x/../out", "--overwrite"}, 2, `output .*IN/full/out is in the input .*IN/full: .*choose`},
		{"output around the input", []string{"wordcount", "-i", "IN/full/*.txt", "-o", "IN/full", "--overwrite"}, 2, `output .*IN/full contains the input .*IN/full/\*\.txt: .*choose`},
		{"output of the next input", []string{"wordcount", "-i", "IN/*/part-*", "-o", "IN/out"}, 2, `output .*IN/out has parts that match the input .*IN/\*/part-\*: .*choose`},
		{"output in the input, only planned", []string{"wordcount", "-i", "IN/full", "-o", "IN/full/out", "--dry-run"}, 2, `is in the input`},
		{"bucket of no store", []string{"wordcount", "-i", "s3://a..b/x", "-o", "IN/out"}, 2, `input: "a\.\.b" is not a valid bucket name`},
		{"password in a location", []string{"wordcount", "-i", "s3://user:pw@inbox/x", "-o", "IN/out"}, 2, `input: .*remove it`},
		{"port in a location", []string{"wordcount", "-i", "IN/words.txt", "-o", "s3://inbox:9000/x"}, 2, `output: "inbox:9000" .*no port`},
		{"output of too long keys", []string{"wordcount", "-i", "IN/words.txt", "-o", "s3://inbox/" + strings.Repeat("k", 1010)}, 2, `output: .*too long`},
		{"output exists", []string{"wordcount", "-i", "IN/words.txt", "-o", "IN/full"}, 1, `output .*IN/full: is not empty.*--overwrite`},
		{"unknown program", []string{"wordcuont", "-i", "IN/words.txt", "-o", "IN/out"}, 2, `"wordcuont".*did you mean wordcount`},
		{"missing program file", []string{"./nope.py", "-i", "IN/words.txt", "-o", "IN/out"}, 2, `"./nope.py".*no such file`},
		{"program that can't run", []string{"IN/words.txt", "-i", "IN/words.txt", "-o", "IN/out"}, 2, `IN/words.txt`},
		{"unknown parameter", job("-p", "loud=true"), 2, `wordcount.* parameter loud`},
		{"bad parameter", job("-p", "lower=maybe"), 2, `lower="maybe"`},
		{"parameter without value", job("-p", "lower"), 2, `--param "lower": use NAME=VALUE`},
		{"bad expression", []string{"grep", "-p", "pattern=(", "-i", "IN/words.txt", "-o", "IN/out"}, 2, `grep: parameter pattern: .*missing closing \)`},
		{"missing parameter", []string{"grep", "-i", "IN/words.txt", "-o", "IN/out"}, 2, `grep.*pattern`},
		{"unknown flag", job("--loud"), 2, `unknown flag: --loud`},
		{"unknown command", []string{"rnu"}, 2, `unknown command "rnu".*did you mean run`},
		{"two programs", job("sort"), 2, `name one program`},
		{"no program", []string{"-i", "IN/words.txt", "-o", "IN/out"}, 2, `program is missing`},
		{"no input", []string{"wordcount", "-o", "IN/out"}, 2, `input is missing`},
		{"no output", []string{"wordcount", "-i", "IN/words.txt"}, 2, `output is missing`},
		{"maps and split size", job("--maps", "2", "--split-size", "1MiB"), 2, `maps and split_size exclude each other`},
		{"no executors", job("--executors", "0"), 2, `--executors 0`},
		{"too little memory", job("--memory", "20MiB", "--executors", "2"), 2, `--memory 20MiB.*2 executors.*32MiB`},
		{"negative reducers", job("-r", "-1"), 2, `reducers is -1`},
		{"bad size", job("--split-size", "much"), 2, `"much" is not a size`},
		{"unknown format", job("--format", "xml"), 2, `format "xml"`},
		{"missing job file", []string{"-f", "IN/nope.yaml"}, 2, `IN/nope.yaml: no such file`},
		{"unknown field in the job file", []string{"-f", "IN/unknown.yaml"}, 2, `IN/unknown.yaml: .*unknown field "partitions"`},
		{"field of another type in the job file", []string{"-f", "IN/type.yaml"}, 2, `IN/type.yaml: .*line 4: reducers must be a whole number, not "many"`},
		{"webhook in the job file", []string{"-f", "IN/webhook.yaml"}, 2, `webhook works only on a server`},
		{"broken job file", []string{"-f", "IN/broken.yaml"}, 2, `IN/broken.yaml: .*it is not YAML: line 1`},
		{"unreachable state", job("--redis", "redis://127.0.0.1:1"), 1, `redis at 127.0.0.1:1: .*refused`},
		{"bad state URL", job("--redis", "http://x"), 2, `--redis: .*scheme "http" is not one of redis`},
		{"state of several hosts", job("--redis", "redis://:secret@a,b"), 2, `--redis: .*use redis\+sentinel`},
		{"state without a master", job("--redis", "redis+sentinel://:secret@a,b"), 2, `--redis: .*master's name is missing`},
		{"bad state URL of an executor", []string{"executor", "--store", "s3://b", "--redis", "redis://:sec/ret@a"}, 2, `--redis: .*malformed`},
		{"work store in a file", job("--work", "IN/words.txt/work"), 1, `IN/words.txt/work`},
		{"scratch in a file", job("--scratch", "IN/words.txt"), 1, `IN/words.txt: not a directory`},
		{"unknown driver", job("--s3-driver", "gcs"), 2, `"gcs" is not one of minio, s3`},
		{"corrupt gzip", []string{"wordcount", "-i", "IN/corrupt.gz", "-o", "IN/out"}, 1, `IN/corrupt.gz: at byte .*gzip`},
		{"no gzip at all", []string{"wordcount", "-i", "IN/fake.gz", "-o", "IN/out"}, 1, `IN/fake.gz: .*gzip`},
		{
			"record longer than memory",
			[]string{"sort", "-i", "IN/long.txt", "-o", "IN/out", "--memory", "16MiB", "--executors", "1"},
			1, `IN/long.txt: the record at byte 6 is longer than the limit`,
		},
	}
}

// mistakesFolder makes a folder with the files that the mistakes need.
func mistakesFolder(t *testing.T) string {
	folder := writeFiles(t, map[string]string{
		"words.txt":       "to be or not to be\n",
		"empty.txt":       "",
		"hidden/.words":   "hidden",
		"hidden/_words":   "hidden",
		"full/part-00000": "old\t1\n",
		"webhook.yaml":    "program: wordcount\ninput: [x]\noutput: y\nwebhook: https://example.com/\n",
		"unknown.yaml":    "program: wordcount\ninput: [x]\noutput: y\npartitions: 3\n",
		"type.yaml":       "program: wordcount\ninput: [x]\noutput: y\nreducers: many\n",
		"broken.yaml":     "program: [wordcount\n",
		"fake.gz":         "this is no gzip\n",
		"corrupt.gz":      string(flipped(gzipped(t, sampleText(t, 200<<10, 2)), 1000)),
		"links/to.txt":    "symbolic links beside it\n",
		"long.txt":        "short\n" + strings.Repeat("x", 2<<20) + "\n",
	})
	for link, target := range map[string]string{"links/loop": "loop", "links/broken": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// A mistake gives one sentence that names its cause, and the documented exit code. It changes
// nothing.
func TestMistakes(t *testing.T) {
	t.Parallel()
	folder := mistakesFolder(t)
	before := tree(t, folder)
	for _, m := range mistakes() {
		t.Run(m.name, func(t *testing.T) {
			args := make([]string, len(m.args))
			for i, a := range m.args {
				args[i] = strings.ReplaceAll(a, "IN", folder)
			}
			var r result
			if m.name == "unknown command" || m.args[0] == "executor" {
				r = command(t.Context(), args...)
			} else {
				r = runJob(t, args...)
			}
			if r.code != m.code {
				t.Errorf("exit code %d, want %d", r.code, m.code)
			}
			checkComplaint(t, r, strings.ReplaceAll(m.stderr, "IN", regexp.QuoteMeta(folder)))
			if after := tree(t, folder); strings.Join(before, "\n") != strings.Join(after, "\n") {
				t.Errorf("the folder contained %q, and now %q", before, after)
			}
		})
	}
}

// besideComplaint matches what may be on stderr besides the sentence: progress and details, which
// are indented, the log of a program, the state of the output, where to read more.
var besideComplaint = regexp.MustCompile(`^(  |\[[mr]\d|Nothing was written to /|Nothing was written to s3:|See "bucketmill)`)

// checkComplaint checks that stderr has exactly one line that begins with the program's name, that
// the line matches, and that stdout is empty.
func checkComplaint(t testing.TB, r result, pattern string) {
	t.Helper()
	var said []string
	for line := range strings.Lines(r.stderr) {
		switch {
		case strings.HasPrefix(line, "bucketmill: "):
			said = append(said, line)
		case !besideComplaint.MatchString(line):
			t.Errorf("stderr has the line %q", line)
		}
	}
	if len(said) != 1 || !regexp.MustCompile(pattern).MatchString(said[0]) {
		t.Errorf("stderr does not have one sentence like %q:\n%s", pattern, r.stderr)
	}
	if strings.Contains(r.stderr, "goroutine ") || strings.Contains(r.stderr, "panic") {
		t.Errorf("panicked:\n%s", r.stderr)
	}
	if r.stdout != "" {
		t.Errorf("stdout: %s", r.stdout)
	}
}
