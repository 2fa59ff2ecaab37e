package streaming

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

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
		"awk '{print}": "a ' without a second one", `sh -c "it's`: `a " without a second one`, "a\x00b": "NUL byte",
	} {
		if args, err := splitCommand(command); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%q: %q, %v", command, args, err)
		}
	}
}

func TestStreamingRefusals(t *testing.T) {
	for message, spec := range map[string]program.Spec{
		"mapper: the command":                      {},
		"reducer: NONE is not supported":           {Commands: program.Commands{Mapper: "cat", Reducer: "NONE"}},
		"the reducer aggregate of Hadoop":          {Commands: program.Commands{Mapper: "cat", Reducer: "aggregate"}},
		"the Java class org.apache.hadoop.mapred":  {Commands: program.Commands{Mapper: "cat", Reducer: "org.apache.hadoop.mapred.lib.IdentityReducer"}},
		"did you mean stream.num.map.output":       {Commands: program.Commands{Mapper: "cat"}, Params: map[string]string{"stream.num.map.output.key.field": "2"}},
		"does not know the parameter mapreduce":    {Commands: program.Commands{Mapper: "cat"}, Params: map[string]string{"mapreduce.partition.keypartitioner.options": "-k1,1"}},
		"a whole number, at least 1":               {Commands: program.Commands{Mapper: "cat"}, Params: map[string]string{paramMapKeyFields: "0"}},
		"a text without line ends":                 {Commands: program.Commands{Mapper: "cat"}, Params: map[string]string{paramMapOutput: "\n"}},
		"true or false":                            {Commands: program.Commands{Mapper: "cat"}, Params: map[string]string{paramExitIsFailure: "perhaps"}},
		"want , true, false":                       {Commands: program.Commands{Mapper: "cat"}, Params: map[string]string{paramMapIgnoreKey: "1"}},
		"is not a valid environment variable name": {Commands: program.Commands{Mapper: "cat"}, Params: map[string]string{"a-b": "1"}},
		"Bucketmill sets it for every process":     {Commands: program.Commands{Mapper: "cat"}, Params: map[string]string{"HOME": "/"}},
		"contains a NUL byte":                      {Commands: program.Commands{Mapper: "cat"}, Params: map[string]string{"A": "a\x00b"}},
	} {
		spec.Kind = Name
		if _, err := table.Open(program.Config{}, spec, ""); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("want %q, have %v", message, err)
		}
	}
}

func TestCheckFindsMissingPrograms(t *testing.T) {
	here := filepath.Join(t.TempDir(), "mine.sh")
	if err := os.WriteFile(here, []byte("cat"), 0o600); err != nil {
		t.Fatal(err)
	}
	for message, c := range map[string]program.Commands{
		"":                               {Mapper: "mine.sh", Combiner: "./mine.sh -x", Reducer: "/no/matter"},
		"no program no-such-program":     {Mapper: "no-such-program"},
		"no program ./other.sh":          {Mapper: "cat", Reducer: "./other.sh x"},
		"no program executor/program.sh": {Mapper: "cat", Combiner: "executor/program.sh"},
	} {
		err := table.Check(t.Context(), program.Config{}, program.Spec{Kind: Name, Commands: c, Files: map[string]string{"mine.sh": here}}, "")
		if (message == "") != (err == nil) || err != nil && !strings.Contains(programtest.WantUserError(t, err).Message, message) {
			t.Errorf("%+v: %v", c, err)
		}
	}
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
		spec := program.Spec{Kind: Name, Commands: program.Commands{Mapper: command}, Files: files}
		p, err := table.Open(program.Config{}, spec, "")
		if err != nil {
			t.Fatal(err)
		}
		got := mapText(t, p, "", 9)
		if len(got) == 0 || want != "*" && got[0].Key() != want {
			t.Errorf("%s: %q", command, got)
		}
	}
	_, err := programtest.MapAll(t, openCommands(t, program.Commands{Mapper: "no-such-program x"}), programtest.Attempt(t), nil)
	if user := programtest.WantUserError(t, err); !strings.Contains(user.Error(), "mapper no-such-program: there is no program no-such-program in the working folder or in PATH") {
		t.Error(user)
	}
	_, err = programtest.MapAll(t, openCommands(t, program.Commands{Mapper: folder}), programtest.Attempt(t), nil)
	if user := programtest.WantUserError(t, err); !strings.Contains(user.Message, "cannot be started") {
		t.Error(user)
	}
}

func TestStreamingEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	p := openCommands(t, program.Commands{Mapper: "env", Reducer: "env"}, "GREETING", "hello = you", paramMapKeyFields, "1")
	a := programtest.Attempt(t)
	a.Job, a.Task, a.Number, a.Reducers = "01abc", 12, 1, 3
	a.Inputs = []program.Input{{URL: "s3://b/a", Start: 100, Length: 50}, {URL: "s3://b/a", Start: 150, Length: 7}, {URL: "s3://b/b", Start: 0, Length: 10}}
	got, err := programtest.MapAll(t, p, a, programtest.Lines("s3://b/a", "x\n", 9))
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, r := range got {
		env = append(env, r.Key())
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
	a = programtest.Attempt(t)
	a.Side, a.Task = "reduce", 3
	got, err = programtest.ReduceAll(t, p, a, []programtest.KV{{"k", "v"}}, 1)
	if err != nil || !slices.Contains(got, programtest.KV{"mapreduce_task_attempt_id=attempt_job_0001_r_000003_0", ""}) || !slices.Contains(got, programtest.KV{"mapred_task_is_map=false", ""}) {
		t.Errorf("%q, %v", got, err)
	}
}
