package python

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/internal/frames"
	"github.com/bucketmill/bucketmill/internal/record"
)

// mixedMap yields pairs of all kinds in one stream: plain ones, which the executor encodes, and
// others among them.
const mixedMap = `
import enum, fractions
class Text(str):
    def __eq__(self, other): return True # equal to all: a dict would add it to what it meets first
    def __hash__(self): return hash("w1")
class Number(enum.IntEnum):
    SEVEN = 7
ODD = [
    ("w1", True), ("w2", 1.5), (Text("other"), 1), ("w3", Number.SEVEN), (1, 1), (1.0, 1), (True, 1), (-0.0, 2), (0, 2),
    ("w1", 2**62), ("w1", 2**62), ("w1", -2**63), ("w1", 10**40), ("w1", -10**40), ("\udc80é\ud800", 1), (b"w1", 5), (None, 5),
    (("w", 1), 3), (["w", 1], 4), (("w", 1.0), 5), ("w" * 1000, 6), (2**70, 1), (10**400, 1), (-10**400, 1), ("", 1), ("w4", fractions.Fraction(1, 3)),
]
def map_fn(key, value):
    n = int(value)
    for i in range(n):
        yield ("w%d" % (i * i % 97), i % 5)
    for i, pair in enumerate(ODD):
        yield pair
        for j in range(i % 7 * n // 40):
            yield ("w%d" % j, 1)
def reduce_fn(key, values): yield sum(values)
`

func TestPythonSumsAreTheSameHoweverTheyAreMade(t *testing.T) {
	var input strings.Builder
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		fmt.Fprintln(&input, r.IntN(1500))
	}
	var want []string
	for _, combine := range []string{
		"", "def combine_fn(key, values): yield sum(list(values))", "def combine_fn(key, values): yield (key, sum(values))",
		"def combine_fn(key, values):\n    'Adds up.'\n    return sum(values)",
	} {
		p := openSource(t, mixedMap+combine, nil)
		for _, size := range []int{7, 1 << 20} {
			got := programtest.Run(t, p, programtest.Lines("f", input.String(), size))
			if want == nil {
				want = got
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q in batches of %d:\nwant %.2000q\nhave %.2000q", combine, size, want, got)
			}
		}
	}
	if len(want) != 239 {
		t.Errorf("%d keys: %.500q", len(want), want)
	}
}

func TestPythonErrorsNameTheRecordAmongManyPairs(t *testing.T) {
	var input strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&input, "%03d\n", i)
	}
	for name, c := range map[string]struct{ bad, message string }{
		"raises half way":   {"1 / 0", "map_fn raised ZeroDivisionError: division by zero"},
		"no tuple":          {"yield ['x', 1]", "map_fn: it must give pairs (key, value), but it gave ['x', 1]"},
		"three":             {"yield 'x', 1, 2", "map_fn: it must give pairs (key, value), but it gave ('x', 1, 2)"},
		"no pair":           {"yield 7", "map_fn: it must give pairs (key, value), but it gave 7"},
		"key":               {"yield ('x', {1: 2}), 1", "map_fn: a key must be None"},
		"value":             {"yield 'x', lambda: 0", "map_fn: a value of type function cannot be sent"},
		"no key that sorts": {"yield object(), 1", "map_fn: a key must be None"},
	} {
		for _, combine := range []string{"", "def combine_fn(key, values): yield sum(values)\n", "def combine_fn(key, values): yield max(values)\n"} {
			p := openSource(t, "def map_fn(value):\n    yield value, 1\n    yield 'y', 1\n    if value == '731': "+c.bad+"\n    yield value, 1\n"+combine+goodReduce, nil)
			_, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("s3://b/k", input.String(), 1<<20))
			user := programtest.WantUserError(t, err)
			if name == "value" && combine != "" {
				continue // it is not checked before all pairs are combined
			}
			if want := (program.RecordRef{Input: "s3://b/k", Offset: 731 * 4, Value: "'731'"}); user.Record == nil || *user.Record != want {
				t.Errorf("%s, %q: want %v, have %v", name, combine, want, err)
			}
			if !strings.HasPrefix(user.Message, c.message) {
				t.Errorf("%s: want %q, have %q", name, c.message, user.Message)
			}
		}
	}
}

func TestPythonPairsThatOnlyTheExecutorSees(t *testing.T) {
	p := openSource(t, "def map_fn(value):\n    yield value, 1\n    yield ['\u0106', 1]\n"+goodReduce, nil)
	_, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", "x\n", 9))
	if user := programtest.WantUserError(t, err); !strings.HasPrefix(user.Message, "map_fn: it must give pairs (key, value)") {
		t.Error(user)
	}
}

func TestPythonGroupsAreTheSameHoweverTheyCome(t *testing.T) {
	const source = `
from fractions import Fraction
KINDS = [1, 2.5, "x", b"x", None, (1, [2]), {"a": 1}, Fraction(1, 3), 2**80, True, -1]
def map_fn(key, value):
    k, n, size = value.split()
    for i in range(int(n)):
        kind = KINDS[i % len(KINDS)]
        yield int(k) if int(k) % 2 else "k%05d" % int(k), (i, kind, "." * int(size)) if i % 3 else kind
def reduce_fn(key, values):
    seen = {}
    for v in values:
        seen[repr(v)] = seen.get(repr(v), 0) + 1
    again = sum(1 for _ in values)
    yield "%d %d %d %s" % (again, len(values), hash(tuple(sorted(seen.items()))), type(key).__name__)
`
	var input strings.Builder
	r := rand.New(rand.NewPCG(5, 6))
	for k := range 300 {
		fmt.Fprintln(&input, k, 1+r.IntN(20), r.IntN(200))
	}
	// Large enough for several RUN frames, and for Values.
	fmt.Fprint(&input, "1000 3000 300\n1001 3000 20\n1002 40000 5\n1003 2 900000\n1004 3 5\n")
	p := openSource(t, source, nil)
	records, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", input.String(), 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, each := range []int{1 << 30, 1000, 3} {
		output, err := programtest.ReduceAll(t, p, programtest.Attempt(t), slices.Clone(records), each)
		if err != nil {
			t.Fatal(err)
		}
		got := programtest.Text(p, output)
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("blocks of %d records:\nwant %.500q\nhave %.500q", each, want, got)
		}
	}
	if len(want) != 305 || !strings.HasPrefix(want[304], "k01004\t3 3 ") || !strings.HasPrefix(want[303], "k01002\t40000 40000 ") {
		t.Errorf("%d lines, the last ones are %q", len(want), want[max(0, len(want)-3):])
	}
}

// groupFrames returns the types of the frames that a grouper makes.
func groupFrames(t *testing.T, sum bool, blocks ...[]byte) (kinds []frames.Type) {
	t.Helper()
	g := grouper{sum: sum, write: func(kind frames.Type, _ ...[]byte) error {
		kinds = append(kinds, kind)
		return nil
	}}
	for _, block := range blocks {
		if err := g.Take(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Finish(); err != nil {
		t.Fatal(err)
	}
	return kinds
}

func TestGrouperCutsOnlyLargeGroups(t *testing.T) {
	small := record.Append(nil, []byte("0a"), appendInt(nil, 1))
	large := record.Append(nil, []byte("0b"), []byte("u\x00\x00\x04\x00"+strings.Repeat("x", groupBytes)))
	last := record.Append(nil, []byte("0c"), appendInt(nil, 1))
	var counts []byte
	for range groupBytes {
		counts = record.Append(counts, []byte("0b"), appendInt(nil, 1))
	}
	for name, c := range map[string]struct {
		sum    bool
		blocks [][]byte
		want   []frames.Type
	}{
		"nothing":        {false, nil, nil},
		"small":          {false, [][]byte{small, small, last}, []frames.Type{frames.TypeGroups}},
		"a large value":  {false, [][]byte{small, large, last}, []frames.Type{frames.TypeGroups, frames.TypeGroups}},
		"large values":   {false, [][]byte{small, large, large, last}, []frames.Type{frames.TypeGroups, frames.TypeRun, frames.TypeRun, frames.TypeGroups}},
		"many, added up": {true, [][]byte{small, counts, counts, last}, []frames.Type{frames.TypeGroups}},
	} {
		if got := groupFrames(t, c.sum, c.blocks...); !slices.Equal(got, c.want) {
			t.Errorf("%s: want %v, have %v", name, c.want, got)
		}
	}
}

func TestPythonRunnerIsCompiledOnce(t *testing.T) {
	cfg := foundPython(t)
	scratch := t.TempDir()
	main, err := writeRunner(scratch, cfg.Prepared.(*interpreter).compiled)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob(filepath.Join(scratch, runnerFolder, "*", "*.py"))
	if err != nil || len(sources) < 10 {
		t.Fatalf("%q, %v", sources, err)
	}
	for _, source := range sources {
		if err := os.WriteFile(source, []byte("this is no Python ("), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// It does not read the sources, and ends because no executor sends HELLO.
	out, _ := exec.Command(cfg.Prepared.(*interpreter).path, main, "job.py", "job.py").CombinedOutput()
	if !strings.Contains(string(out), "the executor is gone") {
		t.Errorf("%q", out)
	}
}

// All elements of a tuple stay on the stack until its end.
func TestLongTuples(t *testing.T) {
	p := openSource(t, `
def map_fn(line):
    yield line, tuple(range(70_000))
    yield line, tuple(range(300_000))
def reduce_fn(key, values):
    yield key, sorted(map(len, values))
`, nil)
	if got, want := programtest.Run(t, p, programtest.Lines("f", "x\n", 9)), []string{"x\t[70000, 300000]"}; !slices.Equal(got, want) {
		t.Errorf("want %q, have %q", want, got)
	}
}
