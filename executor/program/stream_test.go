package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/mapred"
)

// openCommands opens a streaming program with params given as name, value, …
func openCommands(t testing.TB, c Commands, params ...string) Program {
	t.Helper()
	spec := Spec{Kind: Stream, Name: StreamingName, Commands: c, Params: map[string]string{}}
	for i := 0; i < len(params); i += 2 {
		spec.Params[params[i]] = params[i+1]
	}
	p, err := Open(Config{}, spec, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mapText runs a mapper over text, in batches of about that size, and returns its pairs.
func mapText(t testing.TB, p Program, text string, size int) []record {
	t.Helper()
	records, err := mapAll(t, p, attempt(t), lines("file:///in", text, size))
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func checkRecords(t *testing.T, got []record, want ...record) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("want %q, have %q", want, got)
	}
}

func TestSplitCommand(t *testing.T) {
	for command, want := range map[string][]string{
		"cat":                          {"cat"},
		"  cut -f  1 ":                 {"cut", "-f", "1"},
		`awk '{print "a b"}'`:          {"awk", `{print "a b"}`},
		`sh -c "echo 'x'  | wc"`:       {"sh", "-c", "echo 'x'  | wc"},
		`a\ b`:                         {`a\`, "b"},
		`tr '\n' ''`:                   {"tr", `\n`, ""},
		`x --sep=' ' a'b'"c"`:          {"x", "--sep= ", "abc"},
		"python3\n\tjob.py":            {"python3", "job.py"},
		"grep \xff\xfe":                {"grep", "\xff\xfe"},
		"a | b > c":                    {"a", "|", "b", ">", "c"},
		`"/my programs/count" "$HOME"`: {"/my programs/count", "$HOME"},
	} {
		if got, err := splitCommand(command); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: want %q, have %q, %v", command, want, got, err)
		}
	}
	for command, message := range map[string]string{
		"": "names no program", "  ": "names no program", "'' a": "names no program",
		"awk '{print}": "a ' without its other half", `sh -c "it's`: `a " without its other half`, "a\x00b": "zero byte",
	} {
		if args, err := splitCommand(command); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%q: %q, %v", command, args, err)
		}
	}
}

func TestStreamingRefusals(t *testing.T) {
	for message, spec := range map[string]Spec{
		"mapper: the command":                   {},
		"reducer: NONE is no program":           {Commands: Commands{Mapper: "cat", Reducer: "NONE"}},
		"reducer: aggregate, Hadoop's own":      {Commands: Commands{Mapper: "cat", Reducer: "aggregate"}},
		"the class org.apache.hadoop.mapred":    {Commands: Commands{Mapper: "cat", Reducer: "org.apache.hadoop.mapred.lib.IdentityReducer"}},
		"did you mean stream.num.map.output":    {Commands: Commands{Mapper: "cat"}, Params: map[string]string{"stream.num.map.output.key.field": "2"}},
		"does not know the parameter mapreduce": {Commands: Commands{Mapper: "cat"}, Params: map[string]string{"mapreduce.partition.keypartitioner.options": "-k1,1"}},
		"a number from 1 on":                    {Commands: Commands{Mapper: "cat"}, Params: map[string]string{paramMapKeyFields: "0"}},
		"a text without line ends":              {Commands: Commands{Mapper: "cat"}, Params: map[string]string{paramMapOutput: "\n"}},
		"true or false":                         {Commands: Commands{Mapper: "cat"}, Params: map[string]string{paramExitIsFailure: "perhaps"}},
		"want , true, false":                    {Commands: Commands{Mapper: "cat"}, Params: map[string]string{paramMapIgnoreKey: "1"}},
		"can be no environment variable":        {Commands: Commands{Mapper: "cat"}, Params: map[string]string{"a-b": "1"}},
		"is set for every process":              {Commands: Commands{Mapper: "cat"}, Params: map[string]string{"HOME": "/"}},
		"holds a zero byte":                     {Commands: Commands{Mapper: "cat"}, Params: map[string]string{"A": "a\x00b"}},
	} {
		spec.Kind = Stream
		if _, err := Open(Config{}, spec, ""); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("want %q, have %v", message, err)
		}
	}
}

func TestCheckFindsMissingPrograms(t *testing.T) {
	here := filepath.Join(t.TempDir(), "mine.sh")
	if err := os.WriteFile(here, []byte("cat"), 0o600); err != nil {
		t.Fatal(err)
	}
	for message, c := range map[string]Commands{
		"":                               {Mapper: "mine.sh", Combiner: "./mine.sh -x", Reducer: "/no/matter"},
		"no program no-such-program":     {Mapper: "no-such-program"},
		"no program ./other.sh":          {Mapper: "cat", Reducer: "./other.sh x"},
		"no program executor/program.sh": {Mapper: "cat", Combiner: "executor/program.sh"},
	} {
		err := Check(t.Context(), Config{}, Spec{Kind: Stream, Commands: c, Files: map[string]string{"mine.sh": here}}, "")
		if (message == "") != (err == nil) || err != nil && !strings.Contains(wantUserError(t, err).Message, message) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// What a mapper reads is the text with line ends made LF, whatever the batches.
func TestMapperReadsLines(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	for name, c := range map[string]struct{ text, want string }{
		"plain":          {"a\nb\n", "a\nb\n"},
		"no last end":    {"a\nb", "a\nb\n"},
		"CRLF":           {"a\r\nb\r\n\r\nc\r", "a\nb\n\nc\r\n"},
		"CR within":      {"a\rb\nc\n", "a\rb\nc\n"},
		"empty lines":    {"\n\n\n", "\n\n\n"},
		"empty":          {"", ""},
		"not UTF-8":      {"\xff\x00\xfe\tb\n\x80", "\xff\x00\xfe\tb\n\x80\n"},
		"very long":      {long + "\n" + long + "\r\n" + long, long + "\n" + long + "\n" + long + "\n"},
		"tabs, trailing": {"a\tb\t\n\t\n", "a\tb\t\n\t\n"},
	} {
		for _, size := range []int{1, 1000, 1 << 30} {
			copied := filepath.Join(t.TempDir(), "copy")
			mapText(t, openCommands(t, Commands{Mapper: "sh -c 'cat > $COPY'"}, "COPY", copied), c.text, size)
			got, err := os.ReadFile(copied)
			if err != nil || string(got) != c.want {
				t.Errorf("%s, batches of %d: have %.80q, %v", name, size, got, err)
			}
		}
	}
}

func TestMapperReadsKeys(t *testing.T) {
	text := mapred.Batch{Input: "file:///a", Offset: 7, Framing: mapred.Lines, Data: []byte("one\ntwo\r\n")}
	var encoded []byte
	encoded = mapred.AppendRecord(encoded, []byte{0, 0, 0, 0, 0, 0, 0, 5}, []byte("a,\"b\nc\""))
	for name, c := range map[string]struct {
		format string
		batch  mapred.Batch
		params []string
		want   []record
	}{
		"text":      {"text", text, nil, []record{{"one", ""}, {"two", ""}}},
		"jsonl":     {"jsonl", text, nil, []record{{"one", ""}, {"two", ""}}},
		"csv":       {"csv", text, nil, []record{{"one", ""}, {"two", ""}}},
		"offsets":   {"text", text, []string{paramMapIgnoreKey, "false"}, []record{{"7", "one"}, {"11", "two"}}},
		"separator": {"text", text, []string{paramMapIgnoreKey, "false", paramMapInput, "::"}, []record{{"7::one", ""}, {"11::two", ""}}},
		"fixed":     {"fixed:2", mapred.Batch{Framing: mapred.Fixed, RecordLen: 2, Data: []byte("abcd")}, nil, []record{{"0", "ab"}, {"2", "cd"}}},
		"whole":     {"whole", mapred.Batch{Input: "s3://b/k", Framing: mapred.Whole, Data: []byte("l1\nl2")}, nil, []record{{"s3://b/k", "l1"}, {"l2", ""}}},
		"no URL":    {"whole", mapred.Batch{Input: "s3://b/k", Framing: mapred.Whole, Data: []byte("l1\tl2")}, []string{paramMapIgnoreKey, "true"}, []record{{"l1", "l2"}}},
		"rows":      {"csv-multiline", mapred.Batch{Framing: mapred.Encoded, Data: encoded}, nil, []record{{"5", "a,\"b"}, {"c\"", ""}}},
	} {
		a := attempt(t)
		a.Format = c.format
		got, err := mapAll(t, openCommands(t, Commands{Mapper: "cat"}, c.params...), a, []mapred.Batch{c.batch})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: want %q, have %q, %v", name, c.want, got, err)
		}
	}
}

func TestPairsOfLines(t *testing.T) {
	long := strings.Repeat("y", 2<<20)
	for name, c := range map[string]struct {
		text   string
		params []string
		want   []record
	}{
		"tab":               {"a\tb\tc\nd\te\n", nil, []record{{"a", "b\tc"}, {"d", "e"}}},
		"none":              {"word\n", nil, []record{{"word", ""}}},
		"empty":             {"\n\t\na\t\n\tb\n", nil, []record{{"", ""}, {"", ""}, {"a", ""}, {"", "b"}}},
		"no last end":       {"a\tb", nil, []record{{"a", "b"}}},
		"not UTF-8":         {"\xff\t\xfe\x00\n", nil, []record{{"\xff", "\xfe\x00"}}},
		"long":              {long + "\t" + long + "\nz\n", nil, []record{{long, long}, {"z", ""}}},
		"two fields":        {"a\tb\tc\td\na\tb\nz\n", []string{paramMapKeyFields, "2"}, []record{{"a\tb", "c\td"}, {"a\tb", ""}, {"z", ""}}},
		"comma":             {"a,b,c\n\td\n", []string{paramMapOutput, ","}, []record{{"a", "b,c"}, {"\td", ""}}},
		"long separator":    {"a::b:c::d\n", []string{paramMapOutput, "::", paramMapKeyFields, "2"}, []record{{"a::b:c", "d"}}},
		"overlapping":       {"a:::b\n", []string{paramMapOutput, "::"}, []record{{"a", ":b"}}},
		"not the reducer's": {"a,b\n", []string{paramReduceOutput, ",", paramReduceKeyFields, "2"}, []record{{"a,b", ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			checkRecords(t, mapText(t, openCommands(t, Commands{Mapper: "cat"}, c.params...), c.text, 1<<30), c.want...)
		})
	}
	t.Run("CRLF", func(t *testing.T) {
		p := openCommands(t, Commands{Mapper: `printf 'a\tb\r\n\r\nc\r\td\n\r'`})
		checkRecords(t, mapText(t, p, "", 1), record{"a", "b"}, record{"", ""}, record{"c\r", "d"}, record{"\r", ""})
	})
}

// A reducer reads each pair with a separator, and prints lines that are cut by its own format.
func TestReducerReadsPairs(t *testing.T) {
	pairs := []record{{"b", "2"}, {"a", ""}, {"a", "x\ty"}, {"\xff", "\x00"}, {"", "empty"}}
	for name, c := range map[string]struct {
		params []string
		want   []record
	}{
		"tab":       {nil, []record{{"", "empty"}, {"a", ""}, {"a", "x\ty"}, {"b", "2"}, {"\xff", "\x00"}}},
		"separator": {[]string{paramReduceInput, "="}, []record{{"=empty", ""}, {"a=", ""}, {"a=x", "y"}, {"b=2", ""}, {"\xff=\x00", ""}}},
		"fields":    {[]string{paramReduceKeyFields, "2"}, []record{{"\tempty", ""}, {"a\t", ""}, {"a\tx", "y"}, {"b\t2", ""}, {"\xff\t\x00", ""}}},
	} {
		for _, each := range []int{1, 100} {
			got, err := reduceAll(t, openCommands(t, Commands{Mapper: "cat", Reducer: "cat"}, c.params...), attempt(t), slices.Clone(pairs), each)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s: want %q, have %q, %v", name, c.want, got, err)
			}
		}
	}
}

// A reducer without pairs runs, and what it prints is thrown away; with one, all that it prints counts.
func TestReducerOfAnEmptyPartition(t *testing.T) {
	witness := filepath.Join(t.TempDir(), "ran")
	p := openCommands(t, Commands{Mapper: "cat", Reducer: `sh -c 'echo head; cat; echo tail; echo ran > $WITNESS'`}, "WITNESS", witness)
	a := attempt(t)
	log := &strings.Builder{}
	a.Log = log
	got, err := reduceAll(t, p, a, nil, 1)
	if err != nil || len(got) != 0 || !strings.Contains(log.String(), "10 bytes that the reducer printed all the same are thrown away") {
		t.Errorf("have %q, log %q, %v", got, log, err)
	}
	if _, err := os.Stat(witness); err != nil {
		t.Error(err)
	}
	got, err = reduceAll(t, p, attempt(t), []record{{"k", "v"}}, 1)
	if err != nil {
		t.Error(err)
	}
	checkRecords(t, got, record{"head", ""}, record{"k", "v"}, record{"tail", ""})
}

// Programs that read only part of their input, or none, and end well have done their work.
func TestEarlyEndIsSuccess(t *testing.T) {
	text := strings.Repeat("line\tof text\n", 300_000)
	for command, want := range map[string]int{
		"head -n 2": 2, "true": 0, "sh -c 'exec <&-; echo done'": 1, "sed 5q": 5,
		"sh -c 'exec <&-; sleep 0.05; seq 100000'": 100_000, // prints on when nobody feeds it any more
	} {
		p := openCommands(t, Commands{Mapper: command, Reducer: command})
		if got := mapText(t, p, text, 100_000); len(got) != want {
			t.Errorf("mapper %s: %d pairs", command, len(got))
		}
		pairs := slices.Repeat([]record{{"k", strings.Repeat("v", 100)}}, 50_000)
		if got, err := reduceAll(t, p, attempt(t), pairs, 500); err != nil || len(got) != want {
			t.Errorf("reducer %s: %d pairs, %v", command, len(got), err)
		}
	}
}

func TestExitIsFailure(t *testing.T) {
	text := strings.Repeat("some line\n", 200_000)
	for command, message := range map[string]string{
		"sh -c 'echo so long >&2; exit 3'":            "it ended with exit status 3",
		"sh -c 'cat; echo so long >&2; exit 4'":       "it ended with exit status 4",
		"sh -c 'head -n 1; echo so long >&2; exit 5'": "it ended with exit status 5",
		"sh -c 'echo so long >&2; kill -9 $$'":        "it ended with signal: killed (was it out of memory?)",
		"sh -c 'echo so long >&2; kill -11 $$'":       "it ended with signal: segmentation fault",
	} {
		p := openCommands(t, Commands{Mapper: command, Reducer: command})
		_, err := mapAll(t, p, attempt(t), lines("f", text, 1<<16))
		if user := wantUserError(t, err); user.Message != message || user.Program != "mapper sh" || user.Traceback != "so long\n" {
			t.Errorf("%s: %+v", command, user)
		}
		_, err = reduceAll(t, p, attempt(t), slices.Repeat([]record{{"k", "v"}}, 100_000), 1000)
		if user := wantUserError(t, err); user.Message != message || user.Program != "reducer sh" {
			t.Errorf("%s: %+v", command, user)
		}
	}
}

func TestExitMayBeNoFailure(t *testing.T) {
	p := openCommands(t, Commands{Mapper: "sh -c 'cat; exit 3'"}, paramExitIsFailure, "false")
	checkRecords(t, mapText(t, p, "a\n", 9), record{"a", ""})
	p = openCommands(t, Commands{Mapper: "sh -c 'cat; kill -9 $$'"}, paramExitIsFailure, "false")
	_, err := mapAll(t, p, attempt(t), lines("f", "a\n", 9))
	if user := wantUserError(t, err); !strings.Contains(user.Message, "signal: killed") {
		t.Error(user)
	}
}

// What a command has started is waited for as long as it holds the output, and no longer.
func TestBackgroundOutputIsNotLost(t *testing.T) {
	p := openCommands(t, Commands{Mapper: `sh -c '(sleep 0.1; echo late; sleep 0.1; echo later) & echo early'`})
	checkRecords(t, mapText(t, p, "a\n", 9), record{"early", ""}, record{"late", ""}, record{"later", ""})
	p = openCommands(t, Commands{Mapper: `sh -c 'sleep 1000 > /dev/null 2>&1 & cat'`})
	checkRecords(t, mapText(t, p, "a\n", 9), record{"a", ""})
	p = openCommands(t, Commands{Mapper: `setsid sh -c 'sleep 1000 < /dev/null > /dev/null & cat'`})
	checkRecords(t, mapText(t, p, "a\n", 9), record{"a", ""})
}

func TestProgramsAreFound(t *testing.T) {
	folder := t.TempDir()
	files := map[string]string{}
	for name, text := range map[string]string{
		"plain.sh":  "echo plain $1", // neither executable nor with an interpreter
		"tool":      "#!/bin/sh\necho tool\n",
		"cat":       "#!/bin/sh\necho not that cat\n",
		"words":     "w1\nw2\n",
		"helper.py": "def help():\n    return 'help'\n",
		"main.py":   "import helper\nprint(helper.help())\n",
	} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files[name] = path
	}
	files["list.txt"] = files["words"]
	for command, want := range map[string]string{
		"plain.sh arg": "plain arg", "./plain.sh": "plain", "tool": "tool", "cat": "not that cat", "/bin/cat list.txt": "w1",
		"python3 main.py": "help", "sh -c 'pwd; exit $(test $PWD = $HOME)'": "*",
	} {
		spec := Spec{Kind: Stream, Commands: Commands{Mapper: command}, Files: files}
		p, err := Open(Config{}, spec, "")
		if err != nil {
			t.Fatal(err)
		}
		got := mapText(t, p, "", 9)
		if len(got) == 0 || want != "*" && got[0].key != want {
			t.Errorf("%s: %q", command, got)
		}
	}
	_, err := mapAll(t, openCommands(t, Commands{Mapper: "no-such-program x"}), attempt(t), nil)
	if user := wantUserError(t, err); !strings.Contains(user.Error(), "mapper no-such-program: there is no program no-such-program in the working folder or in PATH") {
		t.Error(user)
	}
	_, err = mapAll(t, openCommands(t, Commands{Mapper: folder}), attempt(t), nil)
	if user := wantUserError(t, err); !strings.Contains(user.Message, "cannot be started") {
		t.Error(user)
	}
}

func TestReporterLines(t *testing.T) {
	script := `
echo reporter:counter:words,odd ones,3 >&2
echo reporter:counter:words,odd ones,-1 >&2
echo 'reporter:counter:a,b, 5' >&2
echo reporter:counter:a,b >&2
echo reporter:counter:a,b,1,2 >&2
echo reporter:nonsense >&2
echo reporter:status: half way >&2
echo ' reporter:counter:a,b,5' >&2
printf reporter:counter:last,one,9223372036854775807 >&2
`
	p := openCommands(t, Commands{Mapper: "sh -c '" + strings.ReplaceAll(script, "'", `"`) + "'"})
	a := attempt(t)
	log := &strings.Builder{}
	a.Log = log
	moves := 0
	a.Moved = func() { moves++ } // standard error's goroutine alone calls it, since nothing is printed
	m, err := p.NewMapper(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	if err := m.Close(discard()); err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"words,odd ones": 2, "last,one": 1<<63 - 1}
	if got := m.(Counting).Counters(); !reflect.DeepEqual(got, want) {
		t.Errorf("want %v, have %v", want, got)
	}
	wantLog := `[not understood] reporter:counter:a,b, 5
[not understood] reporter:counter:a,b
[not understood] reporter:counter:a,b,1,2
[not understood] reporter:nonsense
status: half way
 reporter:counter:a,b,5
`
	if log.String() != wantLog || moves != 9 {
		t.Errorf("%d moves, log %s", moves, log)
	}
}

func TestReporterPrefix(t *testing.T) {
	p := openCommands(t, Commands{Mapper: `sh -c 'echo my:counter:g,n,1 >&2; echo reporter:counter:g,n,1 >&2'`}, paramReporterPrefix, "my:")
	m, err := p.NewMapper(t.Context(), attempt(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	if err := m.Close(discard()); err != nil {
		t.Fatal(err)
	}
	if got := m.(Counting).Counters(); !reflect.DeepEqual(got, map[string]int64{"g,n": 1}) {
		t.Error(got)
	}
}

func TestTooManyCounters(t *testing.T) {
	p := openCommands(t, Commands{Mapper: `awk 'BEGIN { for (i = 0; i < 1001; i++) print "reporter:counter:g," i ",1" > "/dev/stderr" }'`})
	_, err := mapAll(t, p, attempt(t), nil)
	if user := wantUserError(t, err); !strings.Contains(user.Message, "more than 1000 different counters") {
		t.Error(user)
	}
}

func TestStreamingEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	p := openCommands(t, Commands{Mapper: "env", Reducer: "env"}, "GREETING", "hello = you", paramMapKeyFields, "1")
	a := attempt(t)
	a.Job, a.Task, a.Number, a.Reducers = "01abc", 12, 1, 3
	a.Inputs = []Input{{"s3://b/a", 100, 50}, {"s3://b/a", 150, 7}, {"s3://b/b", 0, 10}}
	got, err := mapAll(t, p, a, lines("s3://b/a", "x\n", 9))
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, r := range got {
		env = append(env, r.key)
	}
	slices.Sort(env)
	want := []string{
		"GREETING=hello = you", "HOME=" + a.Scratch, "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "PATH=" + os.Getenv("PATH"),
		"PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0", "TMPDIR=" + a.Scratch,
		"job_local_dir=" + a.Scratch, "map_input_file=s3://b/a", "map_input_length=57", "map_input_start=100",
		"mapred_job_id=job_01abc_0001", "mapred_reduce_tasks=3", "mapred_task_id=attempt_01abc_0001_m_000012_1",
		"mapred_task_is_map=true", "mapred_task_partition=12", "mapred_tip_id=task_01abc_0001_m_000012",
		"mapreduce_job_id=job_01abc_0001", "mapreduce_job_local_dir=" + a.Scratch, "mapreduce_job_reduces=3",
		"mapreduce_map_input_file=s3://b/a", "mapreduce_map_input_length=57", "mapreduce_map_input_start=100",
		"mapreduce_task_attempt_id=attempt_01abc_0001_m_000012_1", "mapreduce_task_id=task_01abc_0001_m_000012",
		"mapreduce_task_ismap=true", "mapreduce_task_partition=12", "stream_num_map_output_key_fields=1",
	}
	if !slices.Equal(env, want) {
		t.Errorf("want %q\nhave %q", want, env)
	}
	a = attempt(t)
	a.Phase, a.Task = "reduce", 3
	got, err = reduceAll(t, p, a, []record{{"k", "v"}}, 1)
	if err != nil || !slices.Contains(got, record{"mapreduce_task_attempt_id=attempt_job_0001_r_000003_0", ""}) || !slices.Contains(got, record{"mapred_task_is_map=false", ""}) {
		t.Errorf("%q, %v", got, err)
	}
}

// Each object has a process of its own, so that the name that it knows is right.
func TestProcessForEachObject(t *testing.T) {
	p := openCommands(t, Commands{Mapper: `awk '{ print ENVIRON["map_input_file"] "\t" NR ":" $0 }'`})
	var batches []mapred.Batch
	for _, in := range []string{"f:a", "f:b", "f:c"} {
		batches = append(batches, lines(in, "1\n2\n", 1)...)
	}
	got, err := mapAll(t, p, attempt(t), batches)
	if err != nil {
		t.Fatal(err)
	}
	checkRecords(t, got, record{"f:a", "1:1"}, record{"f:a", "2:2"}, record{"f:b", "1:1"}, record{"f:b", "2:2"}, record{"f:c", "1:1"}, record{"f:c", "2:2"})
	// One that wants no more of the first object gets the next all the same.
	got, err = mapAll(t, openCommands(t, Commands{Mapper: "head -n 1"}), attempt(t), batches)
	if err != nil {
		t.Fatal(err)
	}
	checkRecords(t, got, record{"1", ""}, record{"1", ""}, record{"1", ""})
}

func TestLineTooLong(t *testing.T) {
	a := attempt(t)
	a.Buffer = 1 << 20
	_, err := mapAll(t, openCommands(t, Commands{Mapper: "cat"}), a, lines("f", strings.Repeat("x", 2<<20), 9))
	if user := wantUserError(t, err); !strings.Contains(user.Message, "a line longer than 524288 bytes") {
		t.Error(user)
	}
}

func TestMapperMayPrintFarMoreThanItReads(t *testing.T) {
	p := openCommands(t, Commands{Mapper: `awk '{ for (i = 0; i < 50; i++) print }'`})
	m, err := p.NewMapper(t.Context(), attempt(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	text := strings.Repeat(strings.Repeat("x", 99)+"\n", 10_000)
	out := discard()
	for range 3 {
		if err := m.Map(&mapred.Batch{Framing: mapred.Lines, Data: []byte(text)}, out); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(out); err != nil {
		t.Fatal(err)
	}
	if records, bytes := out.Count(); records != 1_500_000 || bytes != 99*1_500_000 {
		t.Errorf("%d records, %d bytes", records, bytes)
	}
}

// spawner starts a child that holds the FIFO open and would live for long, and one that has left
// the group.
const spawner = `sh -c 'exec 9>$FIFO; sleep 1000 & setsid sleep 1001 & exec 9>&-; echo started >&2; wait'`

func startSpawner(t *testing.T, ctx context.Context, c Commands) (Mapper, <-chan error) {
	t.Helper()
	path, gone := fifo(t)
	a := attempt(t)
	log := make(logSignal, 10)
	a.Log = log
	m, err := openCommands(t, c, "FIFO", path).NewMapper(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Kill)
	if err := m.Map(&mapred.Batch{Framing: mapred.Lines, Data: []byte("x\n")}, discard()); err != nil {
		t.Fatal(err)
	}
	if got := <-log; got != "started\n" {
		t.Fatal(got)
	}
	return m, gone
}

func TestKillEndsAllOfACommand(t *testing.T) {
	for _, c := range []Commands{{Mapper: spawner}, {Mapper: spawner, Combiner: "cat"}} {
		m, gone := startSpawner(t, t.Context(), c)
		m.Kill()
		if err := <-gone; err != nil {
			t.Error(err)
		}
		m.Kill()
		if err := m.Close(discard()); !errors.Is(err, errKilled) {
			t.Errorf("close after kill: %v", err)
		}
	}
}

func TestCancelEndsAllOfACommand(t *testing.T) {
	cause := errors.New("job was cancelled")
	for _, c := range []Commands{{Mapper: spawner}, {Mapper: spawner, Combiner: "cat"}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		m, gone := startSpawner(t, ctx, c)
		closed := make(chan error)
		go func() { closed <- m.Close(discard()) }()
		cancel(cause)
		if err := <-closed; !errors.Is(err, cause) {
			t.Errorf("want %v, have %v", cause, err)
		}
		if err := <-gone; err != nil {
			t.Error(err)
		}
	}
}

// What has left the group, and holds the output, does not outlive its attempt either.
func TestCancelEndsWhatHoldsTheOutput(t *testing.T) {
	cause := errors.New("job was cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	a := attempt(t)
	log := make(logSignal, 10)
	a.Log = log
	m, err := openCommands(t, Commands{Mapper: `sh -c 'setsid sleep 1003 & echo started >&2'`}).NewMapper(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	closed := make(chan error)
	go func() { closed <- m.Close(discard()) }()
	<-log
	cancel(cause)
	if err := <-closed; !errors.Is(err, cause) {
		t.Errorf("want %v, have %v", cause, err)
	}
}

// A child that has left the group, and has no environment by which it is known, is found by its folder.
func TestChildWithoutEnvironmentIsEnded(t *testing.T) {
	path, gone := fifo(t)
	p := openCommands(t, Commands{Mapper: `sh -c 'exec 9>$FIFO; setsid env -i sleep 1002 > /dev/null 2>&1 & exec 9>&-; cat'`}, "FIFO", path)
	checkRecords(t, mapText(t, p, "a\n", 9), record{"a", ""})
	if err := <-gone; err != nil {
		t.Error(err)
	}
}

func TestStreamingPassesOnTheErrorsOfBothSides(t *testing.T) {
	broken := errors.New("store is gone")
	p := openCommands(t, Commands{Mapper: "cat", Reducer: "cat"})
	for name, c := range map[string]struct {
		next func() ([]byte, error)
		out  *mapred.Emitter
	}{
		"at once": {func() ([]byte, error) { return nil, broken }, discard()},
		"later": {func() func() ([]byte, error) {
			first := blocks([]record{{"a", "b"}}, 1)
			return func() ([]byte, error) {
				if block, err := first(); err == nil {
					return block, nil
				}
				return nil, broken
			}
		}(), discard()},
		"output": {
			blocks(slices.Repeat([]record{{"0a", "i"}}, 9), 1),
			mapred.NewEmitter(1, func([]byte) ([]byte, error) { return nil, broken }),
		},
	} {
		r, err := p.NewReducer(t.Context(), attempt(t))
		if err != nil {
			t.Fatal(err)
		}
		err = r.Reduce(c.next, c.out)
		if err == nil {
			err = c.out.Flush()
		}
		if !errors.Is(err, broken) {
			t.Errorf("%s: want %v, have %v", name, broken, err)
		}
		r.Kill()
	}
}

// sumRuns is a combiner and reducer that fails if equal keys are not adjacent, or keys not sorted by
// their bytes, and adds up the values of each.
const sumRuns = `
import sys
print("reporter:counter:sum,runs,1", file=sys.stderr)
last, total = None, 0
for line in sys.stdin.buffer:
    key, value = line.rstrip(b"\n").split(b"\t")
    if key != last:
        if last is not None:
            assert last < key, (last, key)
            sys.stdout.buffer.write(b"%s\t%d\n" % (last, total))
        last, total = key, 0
    total += int(value)
sys.stdout.buffer.write(b"%s\t%d\n" % (last, total))
`

// The combiner gets sorted pairs, as often as the buffer is full, and what it prints stands in their
// place.
func TestCombiner(t *testing.T) {
	script := filepath.Join(t.TempDir(), "sum.py")
	if err := os.WriteFile(script, []byte(sumRuns), 0o600); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&text, "word-%d\xff\n", i%500)
	}
	spec := Spec{Kind: Stream, Files: map[string]string{"sum.py": script}, Commands: Commands{
		Mapper: `sed 's/$/\t1/'`, Combiner: "python3 sum.py", Reducer: "python3 sum.py",
	}}
	p, err := Open(Config{}, spec, "")
	if err != nil {
		t.Fatal(err)
	}
	spec.Commands.Combiner = ""
	plain, err := Open(Config{}, spec, "")
	if err != nil {
		t.Fatal(err)
	}
	want, err := reduceAll(t, plain, attempt(t), mapText(t, plain, text.String(), 1<<16), 100)
	if err != nil {
		t.Fatal(err)
	}
	for buffer, runs := range map[int64]int64{1: 8, 1 << 20: 2, 1 << 30: 1} {
		a := attempt(t)
		a.Buffer = buffer
		if buffer == 1 {
			a.Buffer = combineBlock // as soon as there is a block
		}
		m, err := p.NewMapper(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		out, pairs := collect()
		for _, b := range lines("f", text.String(), 1<<16) {
			if err := m.Map(&b, out); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(m.Close(out), out.Flush()); err != nil {
			t.Fatal(err)
		}
		got := m.(Counting).Counters()["sum,runs"]
		m.Kill()
		if got < runs || got > 2*runs || len(*pairs) > 500*int(got) || len(*pairs) < 200 {
			t.Errorf("buffer of %d bytes: %d runs, %d pairs", a.Buffer, got, len(*pairs))
		}
		output, err := reduceAll(t, p, attempt(t), *pairs, 100)
		if err != nil || !slices.Equal(output, want) {
			t.Errorf("buffer of %d bytes: have %.100q, want %.100q, %v", a.Buffer, output, want, err)
		}
	}
	_, err = mapAll(t, openCommands(t, Commands{Mapper: "cat", Combiner: "sh -c 'echo oh >&2; exit 2'"}), attempt(t), lines("f", "x\n", 9))
	if user := wantUserError(t, err); user.Error() != "combiner sh: it ended with exit status 2" || user.Traceback != "oh\n" {
		t.Error(user)
	}
	// Without pairs it does not run, and without reducers neither.
	mapText(t, openCommands(t, Commands{Mapper: "cat", Combiner: "false"}), "", 9)
	a := attempt(t)
	a.MapOnly = true
	if _, err := mapAll(t, openCommands(t, Commands{Mapper: "cat", Combiner: "false"}), a, lines("f", "x\n", 9)); err != nil {
		t.Error(err)
	}
}

func TestEqualsAPipeline(t *testing.T) {
	text := strings.Repeat("to be or not\tto be\r\n\ncaf\u00e9 \xff\xfe \x01\n", 500) + "no end"
	pipeline := exec.Command("sh", "-c", `tr -d '\r' | tr -s ' \t' '\n\n' | LC_ALL=C sort | uniq -c`)
	pipeline.Stdin = strings.NewReader(text + "\n")
	want, err := pipeline.Output()
	if err != nil {
		t.Fatal(err)
	}
	p := openCommands(t, Commands{Mapper: `sh -c "tr -s ' \t' '\n\n'"`, Reducer: `sh -c "cut -f 1 | uniq -c"`})
	for _, size := range []int{1, 999, 1 << 20} {
		pairs := mapText(t, p, text, size)
		got, err := reduceAll(t, p, attempt(t), pairs, 7)
		if err != nil {
			t.Fatal(err)
		}
		var lines strings.Builder
		for _, r := range got {
			fmt.Fprintln(&lines, r.key)
		}
		if lines.String() != string(want) {
			t.Errorf("want %s\nhave %s", want, lines.String())
		}
	}
}
