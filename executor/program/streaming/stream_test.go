package streaming

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/internal/record"
)

// openCommands opens a streaming program with params given as name, value, …
func openCommands(t testing.TB, c program.Commands, params ...string) program.Program {
	t.Helper()
	spec := program.Spec{Kind: Name, Name: Name, Commands: c, Params: map[string]string{}}
	for i := 0; i < len(params); i += 2 {
		spec.Params[params[i]] = params[i+1]
	}
	p, err := table.Open(program.Config{}, spec, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mapText runs a mapper over text, in batches of about size bytes, and returns its pairs.
func mapText(t testing.TB, p program.Program, text string, size int) []programtest.KV {
	t.Helper()
	records, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("file:///in", text, size))
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func checkRecords(t *testing.T, got []programtest.KV, want ...programtest.KV) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("want %q, have %q", want, got)
	}
}

// A mapper reads the text with LF as line ends, whatever the batches are.
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
			mapText(t, openCommands(t, program.Commands{Mapper: "sh -c 'cat > $COPY'"}, "COPY", copied), c.text, size)
			got, err := os.ReadFile(copied)
			if err != nil || string(got) != c.want {
				t.Errorf("%s, batches of %d: have %.80q, %v", name, size, got, err)
			}
		}
	}
}

func TestMapperReadsKeys(t *testing.T) {
	text := record.Batch{Input: "file:///a", Offset: 7, Framing: record.Lines, Data: []byte("one\ntwo\r\n")}
	var encoded []byte
	encoded = record.Append(encoded, []byte{0, 0, 0, 0, 0, 0, 0, 5}, []byte("a,\"b\nc\""))
	for name, c := range map[string]struct {
		format string
		batch  record.Batch
		params []string
		want   []programtest.KV
	}{
		"text":      {"text", text, nil, []programtest.KV{{"one", ""}, {"two", ""}}},
		"jsonl":     {"jsonl", text, nil, []programtest.KV{{"one", ""}, {"two", ""}}},
		"csv":       {"csv", text, nil, []programtest.KV{{"one", ""}, {"two", ""}}},
		"offsets":   {"text", text, []string{paramMapIgnoreKey, "false"}, []programtest.KV{{"7", "one"}, {"11", "two"}}},
		"separator": {"text", text, []string{paramMapIgnoreKey, "false", paramMapInput, "::"}, []programtest.KV{{"7::one", ""}, {"11::two", ""}}},
		"fixed":     {"fixed:2", record.Batch{Framing: record.Fixed, RecordLen: 2, Data: []byte("abcd")}, nil, []programtest.KV{{"0", "ab"}, {"2", "cd"}}},
		"whole":     {"whole", record.Batch{Input: "s3://b/k", Framing: record.Whole, Data: []byte("l1\nl2")}, nil, []programtest.KV{{"s3://b/k", "l1"}, {"l2", ""}}},
		"no URL":    {"whole", record.Batch{Input: "s3://b/k", Framing: record.Whole, Data: []byte("l1\tl2")}, []string{paramMapIgnoreKey, "true"}, []programtest.KV{{"l1", "l2"}}},
		"keys":      {"made-up", record.Batch{Framing: record.Keyed, Data: record.AppendKeyed(nil, 5, []byte("long key"), []byte("v"))}, nil, []programtest.KV{{"long key", "v"}}},
		"rows":      {"csv-multiline", record.Batch{Framing: record.Encoded, Data: encoded}, nil, []programtest.KV{{"5", "a,\"b"}, {"c\"", ""}}},
	} {
		a := programtest.Attempt(t)
		a.Format, a.Lines = c.format, c.batch.Framing == record.Lines
		got, err := programtest.MapAll(t, openCommands(t, program.Commands{Mapper: "cat"}, c.params...), a, []record.Batch{c.batch})
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
		want   []programtest.KV
	}{
		"tab":               {"a\tb\tc\nd\te\n", nil, []programtest.KV{{"a", "b\tc"}, {"d", "e"}}},
		"none":              {"word\n", nil, []programtest.KV{{"word", ""}}},
		"empty":             {"\n\t\na\t\n\tb\n", nil, []programtest.KV{{"", ""}, {"", ""}, {"a", ""}, {"", "b"}}},
		"no last end":       {"a\tb", nil, []programtest.KV{{"a", "b"}}},
		"not UTF-8":         {"\xff\t\xfe\x00\n", nil, []programtest.KV{{"\xff", "\xfe\x00"}}},
		"long":              {long + "\t" + long + "\nz\n", nil, []programtest.KV{{long, long}, {"z", ""}}},
		"two fields":        {"a\tb\tc\td\na\tb\nz\n", []string{paramMapKeyFields, "2"}, []programtest.KV{{"a\tb", "c\td"}, {"a\tb", ""}, {"z", ""}}},
		"comma":             {"a,b,c\n\td\n", []string{paramMapOutput, ","}, []programtest.KV{{"a", "b,c"}, {"\td", ""}}},
		"long separator":    {"a::b:c::d\n", []string{paramMapOutput, "::", paramMapKeyFields, "2"}, []programtest.KV{{"a::b:c", "d"}}},
		"overlapping":       {"a:::b\n", []string{paramMapOutput, "::"}, []programtest.KV{{"a", ":b"}}},
		"not the reducer's": {"a,b\n", []string{paramReduceOutput, ",", paramReduceKeyFields, "2"}, []programtest.KV{{"a,b", ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			checkRecords(t, mapText(t, openCommands(t, program.Commands{Mapper: "cat"}, c.params...), c.text, 1<<30), c.want...)
		})
	}
	t.Run("CRLF", func(t *testing.T) {
		p := openCommands(t, program.Commands{Mapper: `printf 'a\tb\r\n\r\nc\r\td\n\r'`})
		checkRecords(t, mapText(t, p, "", 1), programtest.KV{"a", "b"}, programtest.KV{"", ""}, programtest.KV{"c\r", "d"}, programtest.KV{"\r", ""})
	})
}

// A reducer reads each pair with a separator, and its lines are cut by its own format.
func TestReducerReadsPairs(t *testing.T) {
	pairs := []programtest.KV{{"b", "2"}, {"a", ""}, {"a", "x\ty"}, {"\xff", "\x00"}, {"", "empty"}}
	for name, c := range map[string]struct {
		params []string
		want   []programtest.KV
	}{
		"tab":       {nil, []programtest.KV{{"", "empty"}, {"a", ""}, {"a", "x\ty"}, {"b", "2"}, {"\xff", "\x00"}}},
		"separator": {[]string{paramReduceInput, "="}, []programtest.KV{{"=empty", ""}, {"a=", ""}, {"a=x", "y"}, {"b=2", ""}, {"\xff=\x00", ""}}},
		"fields":    {[]string{paramReduceKeyFields, "2"}, []programtest.KV{{"\tempty", ""}, {"a\t", ""}, {"a\tx", "y"}, {"b\t2", ""}, {"\xff\t\x00", ""}}},
	} {
		for _, each := range []int{1, 100} {
			got, err := programtest.ReduceAll(t, openCommands(t, program.Commands{Mapper: "cat", Reducer: "cat"}, c.params...), programtest.Attempt(t), slices.Clone(pairs), each)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s: want %q, have %q, %v", name, c.want, got, err)
			}
		}
	}
}

// A reducer without pairs runs, and what it prints is dropped. With a pair, all that it prints
// counts.
func TestReducerOfAnEmptyPartition(t *testing.T) {
	witness := filepath.Join(t.TempDir(), "ran")
	p := openCommands(t, program.Commands{Mapper: "cat", Reducer: `sh -c 'echo head; cat; echo tail; echo ran > $WITNESS'`}, "WITNESS", witness)
	a := programtest.Attempt(t)
	log := &strings.Builder{}
	a.Log = log
	got, err := programtest.ReduceAll(t, p, a, nil, 1)
	if err != nil || len(got) != 0 || !strings.Contains(log.String(), "10 bytes that the reducer printed are dropped") {
		t.Errorf("have %q, log %q, %v", got, log, err)
	}
	if _, err := os.Stat(witness); err != nil {
		t.Error(err)
	}
	got, err = programtest.ReduceAll(t, p, programtest.Attempt(t), []programtest.KV{{"k", "v"}}, 1)
	if err != nil {
		t.Error(err)
	}
	checkRecords(t, got, programtest.KV{"head", ""}, programtest.KV{"k", "v"}, programtest.KV{"tail", ""})
}

// Each object has its own process, so that the name in the environment is right.
func TestProcessForEachObject(t *testing.T) {
	p := openCommands(t, program.Commands{Mapper: `awk '{ print ENVIRON["map_input_file"] "\t" NR ":" $0 }'`})
	var batches []record.Batch
	for _, in := range []string{"f:a", "f:b", "f:c"} {
		batches = append(batches, programtest.Lines(in, "1\n2\n", 1)...)
	}
	got, err := programtest.MapAll(t, p, programtest.Attempt(t), batches)
	if err != nil {
		t.Fatal(err)
	}
	checkRecords(t, got, programtest.KV{"f:a", "1:1"}, programtest.KV{"f:a", "2:2"}, programtest.KV{"f:b", "1:1"}, programtest.KV{"f:b", "2:2"}, programtest.KV{"f:c", "1:1"}, programtest.KV{"f:c", "2:2"})
	// A command that stops reading the first object still gets the next one.
	got, err = programtest.MapAll(t, openCommands(t, program.Commands{Mapper: "head -n 1"}), programtest.Attempt(t), batches)
	if err != nil {
		t.Fatal(err)
	}
	checkRecords(t, got, programtest.KV{"1", ""}, programtest.KV{"1", ""}, programtest.KV{"1", ""})
}

func TestLineTooLong(t *testing.T) {
	a := programtest.Attempt(t)
	a.Buffer = 1 << 20
	_, err := programtest.MapAll(t, openCommands(t, program.Commands{Mapper: "cat"}), a, programtest.Lines("f", strings.Repeat("x", 2<<20), 9))
	if user := programtest.WantUserError(t, err); !strings.Contains(user.Message, "a line longer than 524288 bytes") {
		t.Error(user)
	}
}

func TestInputNeedNotBePaced(t *testing.T) {
	text := strings.Repeat("a line of some length\n", 200_000) // more than a pipe holds
	p := openCommands(t, program.Commands{Mapper: "sed -n '$p'"}, paramPacedInput, "false")
	checkRecords(t, mapText(t, p, text, 1<<20), programtest.KV{"a line of some length", ""})
}

func TestMapperMayPrintFarMoreThanItReads(t *testing.T) {
	p := openCommands(t, program.Commands{Mapper: `awk '{ for (i = 0; i < 50; i++) print }'`})
	text := strings.Repeat(strings.Repeat("x", 99)+"\n", 10_000)
	if records, bytes := programtest.MapTimes(t, p, programtest.Attempt(t), 3, text); records != 1_500_000 || bytes != 99*1_500_000 {
		t.Errorf("%d records, %d bytes", records, bytes)
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
	p := openCommands(t, program.Commands{Mapper: `sh -c "tr -s ' \t' '\n\n'"`, Reducer: `sh -c "cut -f 1 | uniq -c"`})
	for _, size := range []int{1, 999, 1 << 20} {
		pairs := mapText(t, p, text, size)
		got, err := programtest.ReduceAll(t, p, programtest.Attempt(t), pairs, 7)
		if err != nil {
			t.Fatal(err)
		}
		var lines strings.Builder
		for _, r := range got {
			fmt.Fprintln(&lines, r.Key())
		}
		if lines.String() != string(want) {
			t.Errorf("want %s\nhave %s", want, lines.String())
		}
	}
}

var table = program.Kinds{Kind}
