package python

import (
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/internal/record"
)

func TestPythonKeysSortAsInPython(t *testing.T) {
	for seed := range 3 {
		out, err := exec.Command("python3", "testdata/key_order.py", "runner", fmt.Sprint(seed)).CombinedOutput()
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, out)
		}
	}
}

func TestPythonWordCount(t *testing.T) {
	counts := map[string]int{}
	for _, line := range programtest.RecordsOf(programtest.OddText) {
		// The line is text in Python, so split uses Unicode's white space.
		for _, w := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\v\f\x1c\x1d\x1e\x1f\u0085\u00a0", r) }) {
			counts[w]++
		}
	}
	var want []string
	for _, w := range slices.Sorted(maps.Keys(counts)) {
		want = append(want, fmt.Sprintf("%s\t%d", w, counts[w]))
	}
	for name, source := range map[string]string{
		"sum":         pythonWordCount,
		"other":       strings.ReplaceAll(pythonWordCount, "sum(values)", "int(sum(values))"),
		"uncombined":  strings.Replace(pythonWordCount, "combine_fn", "unused", 1),
		"line only":   strings.Replace(pythonWordCount, "map_fn(key, value)", "map_fn(value)", 1),
		"returns":     "def map_fn(k, v): return [(w, 1) for w in v.split()] or None\ndef reduce_fn(k, vs): return sum(vs)",
		"bare values": "def map_fn(k, v): return ((w, 1) for w in v.split())\ndef combine_fn(k, vs): return sum(vs)\ndef reduce_fn(k, vs): yield sum(vs)",
	} {
		p := openSource(t, source, nil)
		for _, size := range []int{1, 1 << 20} {
			if got := programtest.Run(t, p, programtest.Lines("f", programtest.OddText, size)); !slices.Equal(got, want) {
				t.Errorf("%s, batches of %d: want %.400q, have %.400q", name, size, want, got)
			}
		}
	}
}

func TestPythonTextKeepsItsBytesAndOffsets(t *testing.T) {
	p := openSource(t, "def map_fn(key, value): yield (key, value)\ndef reduce_fn(key, values): yield from values", nil)
	// The longer text is decoded in pieces.
	for _, input := range []string{programtest.OddText, strings.Repeat(programtest.OddText+"\r", 2000), strings.Repeat("long ", 20000) + "\n" + programtest.OddText} {
		var want []string
		b := record.Batch{Framing: record.Lines, Data: []byte(input)}
		for offset, r := range b.Records() {
			want = append(want, fmt.Sprintf("%d\t%s", offset, r))
		}
		for _, size := range []int{0, 30, 1 << 20} {
			if got := programtest.Run(t, p, programtest.Lines("f", input, size)); !slices.Equal(got, want) {
				t.Errorf("batches of %d: want %.300q, have %.300q", size, want, got)
			}
		}
	}
}

func TestPythonValuesKeepTheirTypes(t *testing.T) {
	p := openSource(t, `
import collections, datetime, decimal, fractions, enum
Point = collections.namedtuple("Point", "x y")
class Color(enum.IntEnum):
    RED = 1
class Mine:
    def __init__(self, n): self.n = n
    def __eq__(self, other): return type(other) is Mine and other.n == self.n
deep = []
for _ in range(200): deep = [deep]
VALUES = [
    None, True, False, 0, -1, 255, 2**31, -2**63, 10**50, 0.0, -0.0, 1.5, float("inf"), 1j, "", "é\udc80\ud800\U00010000", b"\0\xff",
    (), (1, "a"), [], [1, [2.0, None]], {}, {"a": [1], 2: {3}}, {1, 2}, frozenset({"a"}),
    bytearray(b"x"), Point(1, 2), [Point(1, 2)], {"a": bytearray()}, Color.RED, decimal.Decimal("1.10"), fractions.Fraction(1, 3),
    datetime.datetime(2026, 11, 21), collections.OrderedDict(a=1), range(3), Mine(3), deep, "x" * 100000, collections.Counter("aab"),
]
def same(a, b):
    if type(a) is not type(b) or repr(a) != repr(b) and not isinstance(a, (Mine, set, frozenset)): return False
    if isinstance(a, (list, tuple)): return all(map(same, a, b))
    if isinstance(a, dict): return all(same(a[k], b[k]) for k in a)
    return a == b
def map_fn(line):
    for i, v in enumerate(VALUES): yield i, v
def reduce_fn(key, values):
    value, = values
    if not same(value, VALUES[key]): yield repr(value)
    else: yield "same"
`, nil)
	got := programtest.Run(t, p, programtest.Lines("f", "x\n", 9))
	for i, line := range got {
		if line != fmt.Sprintf("%d\tsame", i) {
			t.Errorf("value %d came back as %.200s", i, line)
		}
	}
	if len(got) != 39 {
		t.Errorf("want 39 values, have %d", len(got))
	}
}

func TestPythonReadsFormats(t *testing.T) {
	const source = "def map_fn(key, value): yield (key, repr(value))\ndef reduce_fn(key, values): yield from values"
	encoded := record.Append(nil, []byte("\x00\x00\x00\x00\x00\x00\x01\x00"), []byte("1,\"x\ny\""))
	for _, c := range []struct {
		format string
		batch  record.Batch
		want   []string
	}{
		{"jsonl", record.Batch{Framing: record.Lines, Data: []byte("{\"a\": [1, null]}\r\n\n\"é\"")}, []string{"0\t{'a': [1, None]}", "19\t'é'"}},
		{"jsonl", record.Batch{Framing: record.Lines, Data: []byte("1\n   \n 2 \r\n\t\r\n \r\r\n3\n \t")}, []string{"0\t1", "6\t2", "18\t3"}},
		{"jsonl", record.Batch{Framing: record.Lines, Offset: 9, Data: []byte("\t\n\n")}, nil},
		{"csv", record.Batch{Framing: record.Lines, Header: []byte(`"a",b`), Offset: 6, Data: []byte("1,2\n\n\"x, \"\"y\",\n")}, []string{"6\t{'a': '1', 'b': '2'}", "11\t{'a': 'x, \"y', 'b': ''}"}},
		{"csv-multiline", record.Batch{Framing: record.Encoded, Header: []byte("a,b"), Data: encoded}, []string{"256\t{'a': '1', 'b': 'x\\ny'}"}},
		{"whole", record.Batch{Framing: record.Whole, Input: "s3://b/empty"}, []string{"s3://b/empty\t''"}},
		{"whole", record.Batch{Framing: record.Whole, Input: "s3://b/k", Data: []byte("a\nb\xff")}, []string{`s3://b/k` + "\t" + `'a\nb\udcff'`}},
		{"fixed:3", record.Batch{Framing: record.Fixed, RecordLen: 3, Data: []byte("abcd")}, []string{"0\tb'abc'", "3\tb'd'"}},
	} {
		p := openSource(t, source, nil)
		a := programtest.Attempt(t)
		a.Format = c.format
		records, err := programtest.MapAll(t, p, a, []record.Batch{c.batch})
		if err != nil {
			t.Fatalf("%s: %v", c.format, err)
		}
		output, err := programtest.ReduceAll(t, p, programtest.Attempt(t), records, 1)
		if got := programtest.Text(p, output); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: want %q, have %q, %v", c.format, c.want, got, err)
		}
	}
}

func TestPythonOutputIsText(t *testing.T) {
	p := openSource(t, `
from decimal import Decimal
VALUES = ["é\udcff", b"\xff", bytearray(b"x"), 1, 1.0, True, None, [1, "é"], (1,), {"a": None}, {1: {2}}, Decimal("1.10"), "\ud800", float("nan"), -float("inf"), {float("nan"): 1}, [], "NaN", ["NaN"]]
def map_fn(key, value):
    for i, v in enumerate(VALUES): yield i, v
def reduce_fn(key, values):
    yield from values
`, nil)
	want := []string{"é\xff", "\xff", "x", "1", "1.0", "true", "null", `[1, "é"]`, "[1]", `{"a": null}`, "{1: {2}}", "1.10", "\xed\xa0\x80", "nan", "-inf", `{"NaN": 1}`, "[]", "NaN", `["NaN"]`}
	for i := range want {
		want[i] = fmt.Sprintf("%d\t%s", i, want[i])
	}
	if got := programtest.Run(t, p, programtest.Lines("f", "x\n", 9)); !slices.Equal(got, want) {
		t.Errorf("want %q, have %q", want, got)
	}
}

func TestPythonItems(t *testing.T) {
	p := openSource(t, `
def map_fn(key, value): return (value, 1)
def reduce_fn(key, values):
    return {"none": None, "list": [1, ("k", 2), (3, 4, 5)], "one": (1, 2, 3), "pair": ("k", 3), "text": "ab", "generator": (i for i in "xy")}[key]
`, nil)
	want := []string{"generator\tx", "generator\ty", "list\t1", "k\t2", "list\t[3, 4, 5]", "one\t[1, 2, 3]", "k\t3", "text\tab"}
	if got := programtest.Run(t, p, programtest.Lines("f", "none\nlist\none\npair\ntext\ngenerator\n", 99)); !slices.Equal(got, want) {
		t.Errorf("want %q, have %q", want, got)
	}
}

func TestPythonMapOnlyWithParamsAndCounters(t *testing.T) {
	p := openSource(t, `
print("loading", PARAMS["prefix"])
def setup(params):
    global prefix
    prefix = params["prefix"]
def map_fn(key, value):
    print("printed")
    COUNTERS["lines"] += 1
    yield prefix + value, "a\nb"
def combine_fn(key, values): 1 / 0
`, map[string]string{"prefix": ">\t"})
	a := programtest.Attempt(t)
	a.MapOnly = true
	log := &strings.Builder{}
	a.Log = log
	m, err := p.NewMapper(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Kill()
	out, records := programtest.Collect()
	b := record.Batch{Framing: record.Lines, Data: []byte("x\ny")}
	if err := m.Map(&b, out); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(out); err != nil {
		t.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := []programtest.KV{{">\tx", "a\nb"}, {">\ty", "a\nb"}}; !slices.Equal(*records, want) {
		t.Errorf("want %q, have %q", want, *records)
	}
	if want := "loading >\t\nprinted\nprinted\n"; log.String() != want {
		t.Errorf("log: want %q, have %q", want, log.String())
	}
	wantCounters := map[string]int64{"lines": 2, "output keys with a tab or line end": 2, "output values with a line end": 2}
	if got := m.(program.Counting).Counters(); !maps.Equal(got, wantCounters) {
		t.Errorf("counters: want %v, have %v", wantCounters, got)
	}
}

func TestPythonCombinesWithinItsMemory(t *testing.T) {
	for _, combine := range []string{"yield key, sum(values)", "yield key, sum(list(values))", "return list(values)"} {
		p := openSource(t, `
import bucketmill_runner.combine as table
table.budget = lambda memory: 300000
def map_fn(line):
    for i in range(20000):
        yield str(i % 3000), i
        yield i % 7, 1
        yield (i % 5, None), 1.0
def combine_fn(key, values): `+combine+`
def reduce_fn(key, values): yield sum(values)
`, nil)
		want := map[string]int{}
		for range 2 {
			for i := range 20000 {
				want[fmt.Sprint(i%3000)] += i
			}
		}
		got := programtest.Run(t, p, programtest.Lines("f", "1\n2\n", 1))
		sums := map[string]bool{}
		for _, line := range got {
			sums[line] = true
		}
		for key, n := range want {
			if line := fmt.Sprintf("%s\t%d", key, n); !sums[line] {
				t.Fatalf("%s: no %q in %.200q", combine, line, got)
			}
		}
		for _, line := range []string{"[4, null]\t8000.0", "6\t5714"} {
			if !sums[line] {
				t.Errorf("%s: no %q", combine, line)
			}
		}
		if len(got) != 3000+7+5 {
			t.Errorf("%s: %d lines", combine, len(got))
		}
	}
}

func TestPythonRefusesFramesThatAreCutShort(t *testing.T) {
	out, err := exec.Command("python3", "testdata/batches.py", "runner").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
