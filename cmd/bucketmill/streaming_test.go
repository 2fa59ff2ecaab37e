package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/api"
)

// The commands of a word count: a mapper that prints one word per line, a combiner and a reducer.
const (
	wordsMapper = `sh -c "tr -s '[:blank:]' '\n\n' | sed -e '/^$/d' -e 's/$/\t1/'"`
	sumScript   = `BEGIN { FS = "\t" } NR > 1 && $1 "" != k { print k "\t" n; n = 0 } { k = $1 ""; n += $2 } END { print k "\t" n }`
)

// pipeline counts words in a shell. It returns lines of word, TAB, count, sorted.
func pipeline(t *testing.T, text string) []string {
	t.Helper()
	cmd := exec.Command("sh", "-c", `tr -d '\r' | tr -s '[:blank:]' '\n\n' | sed '/^$/d' | LC_ALL=C sort | uniq -c | awk '{ print $2 "\t" $1 }'`)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	must(t, err)
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// The result is that of a shell's pipeline, for all splits and numbers of reducers.
func TestStreamingEqualsAPipeline(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"a.txt": sampleText(t, 120<<10, 5), "b.txt": "to be\r\n\r\nor\tnot  \n\n to be \xff\xfe", "c.txt": sampleText(t, 20<<10, 6),
	}
	folder := writeFiles(t, map[string]string{
		"in/a.txt": texts["a.txt"], "in/b.txt": texts["b.txt"], "in/c.txt": texts["c.txt"], "sum.awk": sumScript,
	})
	want := pipeline(t, texts["a.txt"]+"\n"+texts["b.txt"]+"\n"+texts["c.txt"])
	slices.Sort(want)
	first := map[string]string{} // by number of reducers: the output
	for _, args := range [][]string{
		{"-r", "1"},
		{"-r", "1", "--split-size", "7000"},
		{"-r", "3", "--split-size", "31KiB", "--combiner", "awk -f sum.awk"},
		{"-r", "3", "--combiner", "awk -f sum.awk", "--memory", "33MiB"},
		{"-r", "3", "--sort-values", "--split-size", "50000"},
		{"-r", "40", "--maps", "2"}, // many partitions have few keys or none
		{"-r", "2", "--sort-order", "total"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			parts := mustRun(t, filepath.Join(t.TempDir(), "out"), append([]string{
				"--mapper", wordsMapper, "--reducer", "awk -f sum.awk", "--program-file", folder + "/sum.awk", "-i", folder + "/in", "--executors", "2",
			}, args...)...)
			checkSorted(t, parts)
			lines := joined(parts)
			slices.Sort(lines)
			sameLines(t, lines, want)
			var all strings.Builder
			for _, p := range parts {
				all.Write(p.data)
			}
			if slices.Contains(args, "total") {
				return
			}
			if before, ok := first[args[1]]; ok && before != all.String() {
				t.Error("the output differs from that of another split size")
			}
			first[args[1]] = all.String()
		})
	}
}

func TestStreamingJobFile(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{
		"in.txt": "b 1\na 2\nb 3\n",
		"map.sh": "sed 's/ /,/; s/$/,'$GREETING/ # neither executable nor with a #! line\n",
	})
	yaml := "mapper: map.sh\nreducer: >\n  sed 's/^/</'\nprogram_files: [" + folder + "/map.sh]\ninput: [" + folder + "/in.txt]\noutput: " + folder + "/out\nreducers: 1\n" +
		"params:\n  GREETING: hi\n  stream.map.output.field.separator: ','\n  stream.num.map.output.key.fields: 2\n  stream.reduce.input.field.separator: ;\n"
	object := strings.Replace(yaml, "["+folder+"/map.sh]", "[{source: "+folder+"/map.sh, name: other.sh}]", 1)
	for name, test := range map[string]struct {
		file string
		args []string
		want []string
	}{
		"file":         {yaml, nil, []string{"<a,2;hi\t", "<b,1;hi\t", "<b,3;hi\t"}},
		"object":       {object, []string{"--mapper", "./other.sh"}, []string{"<a,2;hi\t", "<b,1;hi\t", "<b,3;hi\t"}},
		"flags win":    {yaml, []string{"--mapper", "cat"}, []string{"<a 2;\t", "<b 1;\t", "<b 3;\t"}},
		"other name":   {yaml, []string{"--program-file", folder + "/map.sh#m", "--mapper", "m"}, []string{"<a,2;hi\t", "<b,1;hi\t", "<b,3;hi\t"}},
		"other fields": {yaml, []string{"-p", "stream.num.map.output.key.fields=1"}, []string{"<a;2,hi\t", "<b;1,hi\t", "<b;3,hi\t"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "job.yaml")
			writeFile(t, file, test.file)
			sameLines(t, joined(mustRun(t, filepath.Join(t.TempDir(), "out"), append([]string{"--file", file}, test.args...)...)), test.want)
		})
	}
}

// With 0 reducers the output is what mappers print. Without --reducer it is the same, sorted.
func TestStreamingWithoutReducer(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": "b\t1\na\n\nb\tx\ty\n"})
	args := []string{"--mapper", "cat", "-i", folder + "/in.txt"}
	got := mustRun(t, filepath.Join(t.TempDir(), "out"), append(args, "-r", "0", "--maps", "1")...)
	if text := string(got[0].data); text != "b\t1\na\t\n\t\nb\tx\ty\n" {
		t.Errorf("map only: %q", text)
	}
	got = mustRun(t, filepath.Join(t.TempDir(), "out"), append(args, "-r", "1")...)
	if text := string(got[0].data); text != "\t\na\t\nb\t1\nb\tx\ty\n" {
		t.Errorf("sorted: %q", text)
	}
}

func TestStreamingFormats(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.csv": "name,n\na,1\n\"b\",2\n", "in.bin": "abcdef"})
	for format, test := range map[string]struct {
		input string
		want  []string
	}{
		"csv": {"in.csv", []string{"\"b\",2\t", "a,1\t"}}, "fixed:3": {"in.bin", []string{"0\tabc", "3\tdef"}},
		"whole": {"in.bin", []string{"file://" + folder + "/in.bin\tabcdef"}}, "csv-multiline": {"in.csv", []string{"11\t\"b\",2", "7\ta,1"}},
	} {
		got := mustRun(t, filepath.Join(t.TempDir(), "out"), "--mapper", "cat", "-i", folder+"/"+test.input, "--format", format, "-r", "1")
		sameLines(t, joined(got), test.want)
	}
}

func TestStreamingFaults(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": "one\ntwo\n", "a.sh": "cat\n"})
	in := []string{"-i", folder + "/in.txt", "-r", "1", "--max-attempts", "2"}
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"mapper fails":    {[]string{"--mapper", "sh -c 'echo my last words >&2; exit 3'"}, exitFailed, `mapper sh: it ended with exit status 3`},
		"reducer fails":   {[]string{"--mapper", "cat", "--reducer", "grep -q nothing"}, exitFailed, `reducer grep: it ended with exit status 1`},
		"combiner fails":  {[]string{"--mapper", "cat", "--combiner", "false", "--reducer", "cat"}, exitFailed, `combiner false: it ended with exit status 1`},
		"killed":          {[]string{"--mapper", "sh -c 'kill -9 $$'"}, exitFailed, `signal: killed \(was it out of memory\?\)`},
		"no program":      {[]string{"--mapper", "no-such-command"}, exitUsage, `there is no program no-such-command in the working folder or in PATH: send it with --program-file`},
		"quote":           {[]string{"--mapper", "awk '{"}, exitUsage, `mapper: the command .* has a ' without a second one`},
		"parameter":       {[]string{"--mapper", "cat", "-p", "mapreduce.job.reduces=3"}, exitUsage, `streaming does not know the parameter mapreduce.job.reduces`},
		"no mapper":       {[]string{"--reducer", "cat"}, exitUsage, `mapper is missing`},
		"also a program":  {[]string{"wordcount", "--mapper", "cat"}, exitUsage, `program is "wordcount": a job has either a program or a mapper`},
		"combiner alone":  {[]string{"--mapper", "cat", "--combiner", "cat"}, exitUsage, `combiner needs a reducer`},
		"reducer, none":   {[]string{"--mapper", "cat", "--reducer", "cat", "-r", "0"}, exitUsage, `reducers is 0`},
		"two of one name": {[]string{"--mapper", "cat", "--program-file", folder + "/a.sh", "--program-file", folder + "/in.txt#a.sh"}, exitUsage, `two program files have the name a.sh`},
		"name with dots":  {[]string{"--mapper", "cat", "--program-file", folder + "/a.sh#x/../y"}, exitUsage, `want FILE or FILE#NAME`},
		"file not there":  {[]string{"--mapper", "cat", "--program-file", folder + "/b.sh"}, exitUsage, `b.sh: no such file`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			r := runJob(t, append(append(slices.Clone(in), "-o", out), test.args...)...)
			if r.code != test.code {
				t.Errorf("exit code %d", r.code)
			}
			checkComplaint(t, r, test.says)
			if name == "mapper fails" && !strings.Contains(r.stderr, "    my last words\n") {
				t.Errorf("no log:\n%s", r.stderr)
			}
			checkEmpty(t, out)
		})
	}
}

// A command that makes no progress is ended after the timeout. A line on standard error is
// progress.
func TestStreamingTaskTimeout(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": "one\n"})
	args := []string{"-i", folder + "/in.txt", "-o", folder + "/out", "-r", "0", "--task-timeout", "1s", "--max-attempts", "1"}
	checkComplaint(t, runJob(t, append(args, "--mapper", "sleep 1000")...), `no progress|made no progress|progress`)
	checkEmpty(t, folder+"/out")
	got := mustRun(t, folder+"/out", append(args, "--mapper", `sh -c 'for i in 1 2 3 4 5; do sleep 0.4; echo reporter:status:$i >&2; done; cat'`)...)
	sameLines(t, joined(got), []string{"one\t"})
}

func TestStreamingSkipsBadRecords(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for n := range 900 {
		word := fmt.Sprintf("word%d", n%30)
		if n == 100 || n == 555 {
			word = "bad"
		}
		fmt.Fprintln(&text, word)
	}
	folder := writeFiles(t, map[string]string{"in.txt": text.String()})
	out := filepath.Join(folder, "out")
	r := runJob(t, "--mapper", `awk '/bad/ { exit 3 } { print $1 "\t1" }'`, "--reducer", `awk '$1 == "word7" { exit 4 } { n++ } END { print n }'`,
		"-i", folder+"/in.txt", "-o", out, "-r", "1", "--maps", "2", "--skip-bad-records", "3")
	if r.code != exitDone {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	lines := skippedLines(t, out)
	var told []string
	for _, line := range lines {
		told = append(told, line.Value.Text+line.Key.Text)
	}
	slices.Sort(told)
	if got := filesLike(t, out, "part-*")["part-00000"]; got != "868\t\n" || !slices.Equal(told, []string{"bad", "bad", "word7"}) {
		t.Errorf("skipped %q, output %q", told, got)
	}
}

func TestStreamingOfAServer(t *testing.T) {
	t.Parallel()
	s := serve(t, false, nil)
	s.put("s3://inbox/a.txt", "to be or not to be\n")
	s.put("s3://inbox/scripts/sum.awk", sumScript)
	folder := writeFiles(t, map[string]string{"map.sh": "tr ' ' '\\n' | sed 's/$/\t1/'\necho reporter:counter:map,runs,1 >&2\n"})
	id := strings.TrimSpace(s.must("submit", "--mapper", "words", "--reducer", "awk -f sum.awk", "-r", "1", "--program-file", folder+"/map.sh#words",
		"--program-file", "s3://inbox/scripts/sum.awk", "-i", "s3://inbox/a.txt", "-o", "s3://outbox/wc"))
	s.must("status", id, "--watch")
	if got := s.must("results", id); got != "be\t2\nnot\t1\nor\t1\nto\t2\n" {
		t.Errorf("results %q", got)
	}
	var job api.Job
	must(t, json.Unmarshal([]byte(s.must("status", id, "--json")), &job))
	if job.Program != "streaming" || job.Counters["user:map,runs"] != 1 {
		t.Errorf("job %+v", job)
	}
	if _, err := os.Stat(filepath.Join(folder, "map.sh")); err != nil {
		t.Error(err)
	}
}
