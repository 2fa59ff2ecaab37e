package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// orderProgram writes for every user whether the events arrived in order, how many there were, and
// the first and the last.
const orderProgram = `
def map_fn(key, value):
    user, time, event = value.split(" ")
    yield (user, (int(time), event, {"line": key, "rest": "x" * 200}))

def reduce_fn(key, values):
    n, first, last = 0, None, (-1 << 80, "")
    for time, event, _ in values:
        assert (time, event) >= last, (key, last, time, event)
        last = time, event
        first = first or last
        n += 1
    yield (key, "%d %d %s %d %s" % (n, *first, *last))
`

// The values of each key arrive in order, whether they were spilled, merged in several rounds, or
// streamed because there are too many.
func TestSortValues(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 5))
	type event struct {
		time int64
		name string
	}
	events := map[string][]event{}
	var text strings.Builder
	for range 120_000 {
		user := fmt.Sprintf("user%02d", min(r.IntN(60), 30))
		e := event{r.Int64N(1<<62) - 1<<61, fmt.Sprint("e", r.IntN(9))}
		if r.IntN(2) == 0 {
			e.time = r.Int64N(20) - 10
		}
		events[user] = append(events[user], e)
		fmt.Fprintf(&text, "%s %d %s\n", user, e.time, e.name)
	}
	var want []string
	for user, list := range events {
		slices.SortFunc(list, func(x, y event) int {
			if x.time != y.time {
				return map[bool]int{true: -1, false: 1}[x.time < y.time]
			}
			return strings.Compare(x.name, y.name)
		})
		first, last := list[0], list[len(list)-1]
		want = append(want, fmt.Sprintf("%s\t%d %d %s %d %s", user, len(list), first.time, first.name, last.time, last.name))
	}
	slices.Sort(want)
	input := writeFiles(t, map[string]string{
		"in.txt": text.String(), "job.py": orderProgram,
		"combined.py": orderProgram + "\ndef combine_fn(key, values):\n    return list(values)[::-1]\n",
	})
	for name, args := range map[string][]string{
		"one map":        {"job.py", "--maps", "1", "-r", "2"},
		"spilled":        {"job.py", "--maps", "2", "-r", "2", "--memory", "16MiB", "--executors", "1"},
		"many maps":      {"job.py", "--maps", "60", "-r", "1", "--memory", "16MiB", "--executors", "1"},
		"with a combine": {"combined.py", "--maps", "4", "-r", "2"},
		"total order":    {"job.py", "--maps", "4", "-r", "3", "--sort-order", "total"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join(input, args[0])
			output := filepath.Join(t.TempDir(), "out")
			r := runJob(t, append([]string{program, "-i", filepath.Join(input, "in.txt"), "-o", output, "--sort-values"}, args[1:]...)...)
			if r.code != exitDone {
				t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
			}
			if name == "spilled" {
				checkSpilled(t, output)
			}
			got := joined(checkOutput(t, output))
			if !slices.Equal(got, want) {
				t.Errorf("got %.500q, want %.500q", got, want)
			}
		})
	}
}
