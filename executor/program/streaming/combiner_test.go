package streaming

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
)

// sumRuns is a combiner and reducer that adds up the values of each key. It fails if equal keys are
// not adjacent, or keys are not sorted by their bytes.
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

// The combiner gets sorted pairs each time the buffer is full, and its output replaces them.
func TestCombiner(t *testing.T) {
	script := filepath.Join(t.TempDir(), "sum.py")
	if err := os.WriteFile(script, []byte(sumRuns), 0o600); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&text, "word-%d\xff\n", i%500)
	}
	spec := program.Spec{Kind: Name, Files: map[string]string{"sum.py": script}, Commands: program.Commands{
		Mapper: `sed 's/$/\t1/'`, Combiner: "python3 sum.py", Reducer: "python3 sum.py",
	}}
	p, err := table.Open(program.Config{}, spec, "")
	if err != nil {
		t.Fatal(err)
	}
	spec.Commands.Combiner = ""
	plain, err := table.Open(program.Config{}, spec, "")
	if err != nil {
		t.Fatal(err)
	}
	want, err := programtest.ReduceAll(t, plain, programtest.Attempt(t), mapText(t, plain, text.String(), 1<<16), 100)
	if err != nil {
		t.Fatal(err)
	}
	for buffer, runs := range map[int64]int64{1: 8, 1 << 20: 2, 1 << 30: 1} {
		a := programtest.Attempt(t)
		a.Buffer = buffer
		if buffer == 1 {
			a.Buffer = 64 << 10 // full with the first block
		}
		m, err := p.NewMapper(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		out, pairs := programtest.Collect()
		for _, b := range programtest.Lines("f", text.String(), 1<<16) {
			if err := m.Map(&b, out); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(m.Close(out), out.Flush()); err != nil {
			t.Fatal(err)
		}
		got := m.(program.Counting).Counters()["sum,runs"]
		m.Kill()
		if got < runs || got > 2*runs || len(*pairs) > 500*int(got) || len(*pairs) < 200 {
			t.Errorf("buffer of %d bytes: %d runs, %d pairs", a.Buffer, got, len(*pairs))
		}
		output, err := programtest.ReduceAll(t, p, programtest.Attempt(t), *pairs, 100)
		if err != nil || !slices.Equal(output, want) {
			t.Errorf("buffer of %d bytes: have %.100q, want %.100q, %v", a.Buffer, output, want, err)
		}
	}
	_, err = programtest.MapAll(t, openCommands(t, program.Commands{Mapper: "cat", Combiner: "sh -c 'echo oh >&2; exit 2'"}), programtest.Attempt(t), programtest.Lines("f", "x\n", 9))
	if user := programtest.WantUserError(t, err); user.Error() != "combiner sh: it ended with exit status 2" || user.Traceback != "oh\n" {
		t.Error(user)
	}
	// It runs neither without pairs nor without reducers.
	mapText(t, openCommands(t, program.Commands{Mapper: "cat", Combiner: "false"}), "", 9)
	a := programtest.Attempt(t)
	a.MapOnly = true
	if _, err := programtest.MapAll(t, openCommands(t, program.Commands{Mapper: "cat", Combiner: "false"}), a, programtest.Lines("f", "x\n", 9)); err != nil {
		t.Error(err)
	}
}
