package python

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/internal/record"
)

// manyValues returns blocks of records: the keys a and z with one value, 1, and between them b
// with n values of size bytes.
func manyValues(n, size int) func() ([]byte, error) {
	value := "u" + string([]byte{byte(size), byte(size >> 8), 0, 0}) + strings.Repeat("x", size) // marshalled
	one := "i\x01\x00\x00\x00"
	left := n
	return func() ([]byte, error) {
		switch {
		case left < 0:
			return nil, io.EOF
		case left == 0:
			left = -1
			return record.Append(nil, []byte("0z"), []byte(one)), nil
		}
		var block []byte
		if left == n {
			block = record.Append(block, []byte("0a"), []byte(one))
		}
		for ; left > 0 && len(block) < 256<<10; left-- {
			block = record.Append(block, []byte("0b"), []byte(value))
		}
		return block, nil
	}
}

func reduceMany(t *testing.T, body string, n, size int) []string {
	t.Helper()
	p := openSource(t, `
def map_fn(key, value): pass
def reduce_fn(key, values): return many(key, values) if key == "b" else "other"
def many(key, values):
`+body, nil)
	r, err := p.NewReducer(t.Context(), programtest.Attempt(t))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	out, records := programtest.Collect()
	if err := r.Reduce(manyValues(n, size), out); err != nil {
		t.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	got := programtest.Text(p, *records)
	if len(got) < 2 || got[0] != "a\tother" || got[len(got)-1] != "z\tother" {
		t.Errorf("the keys around the large one have gone wrong: %.300q", got)
	}
	return got[1 : len(got)-1]
}

func TestPythonStreamsLargeGroups(t *testing.T) {
	const n, size = 400_000, 400 // 160 MB
	got := reduceMany(t, `
    total = sum(map(len, values))
    peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return [total, int(peak)]
`, n, size)
	if len(got) != 2 || got[0] != "b\t"+strconv.Itoa(n*size) {
		t.Fatalf("%q", got)
	}
	peak, err := strconv.Atoi(strings.TrimPrefix(got[1], "b\t"))
	if err != nil || peak > 60<<10 {
		t.Errorf("peak memory is %d KiB for values of %d KiB, %v", peak, n*size>>10, err)
	}
}

// A key's values behave like a list, however many there are, and no operation takes a thousand
// times as long.
func TestPythonValuesAreAListHoweverMany(t *testing.T) {
	source, err := os.ReadFile("testdata/values.py")
	if err != nil {
		t.Fatal(err)
	}
	p := openSource(t, string(source), nil)
	changes := regexp.MustCompile(`(?m)^    "(.*)": `).FindAllStringSubmatch(string(source[bytes.Index(source, []byte("CHANGING = {")):]), -1)
	if len(changes) != 17 {
		t.Fatalf("changes: %q", changes)
	}
	var input strings.Builder
	want := []string{}
	for _, c := range []struct {
		group, kind string
		changed     bool
	}{
		{"1|int", "list", true},
		{"3|int", "list", true},
		{"5000|odd", "list", false},
		{"10|long", "list", false},
		{"60000|int", "Values", true},
		{"60000|str", "Values", false},
		{"40000|odd", "Values", false},
		{"40|long", "Values", true},
		{"300000|int", "Values", false},
	} {
		fmt.Fprintln(&input, c.group)
		want = append(want, "compared\t"+c.group+" "+c.kind)
		if !c.changed {
			continue
		}
		for _, change := range changes {
			fmt.Fprintf(&input, "%s|%s\n", c.group, change[1])
		}
	}
	fmt.Fprintln(&input, "9|end") // the last key
	records, err := programtest.MapAll(t, p, programtest.Attempt(t), programtest.Lines("f", input.String(), 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	output, err := programtest.ReduceAll(t, p, programtest.Attempt(t), records, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, "3|int\t[0, 7919, 15838]", "pair\t[0, 7919, 15838]", "nested\t"+`{"v": [[0, 7919, 15838], [[0, 7919, 15838]]]}`, "kept\t9")
	got := programtest.Text(p, output)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("want %q,\nhave %q", want, got)
	}
}

func TestPythonLargeGroupsAreSequences(t *testing.T) {
	const n = 60_000
	want := []string{"b\tValues", "b\t60000", "b\t1200000 1200000", "b\t[20, 20, 20]", "b\t2", "b\ttrue", "b\tout of range", "b\t60000"}
	got := reduceMany(t, `
    yield type(values).__name__
    first, again = iter(values), iter(values)
    for _ in range(25000): next(first)
    yield sum(1 for _ in again)
    yield "%d %d" % (sum(map(len, values)), sum(map(len, values)))
    yield [len(values[0]), len(values[len(values) - 1]), len(values[-1])]
    yield len(values[10:12])
    yield values[30000] in values
    try: values[60000]
    except IndexError: yield "out of range"
    yield len(values)
`, n, 20)
	if !slices.Equal(got, want) {
		t.Errorf("want %q, have %q", want, got)
	}
}

func TestPythonLargeGroupsNeedNotBeRead(t *testing.T) {
	if got := reduceMany(t, "    for v in values: return len(v)\n", 60_000, 20); !slices.Equal(got, []string{"b\t20"}) {
		t.Errorf("%q", got)
	}
	if got := reduceMany(t, "    return type(values).__name__\n", 100, 20); !slices.Equal(got, []string{"b\tlist"}) {
		t.Errorf("%q", got)
	}
}
