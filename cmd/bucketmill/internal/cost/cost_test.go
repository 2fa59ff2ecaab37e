package cost

import (
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/objstore"
)

var update = flag.Bool("update", false, "write the table of 100 TB into docs/cost-model.md")

// TestPaper checks that the table in the docs is the result of the formulas.
func TestPaper(t *testing.T) {
	const file, begin, end = "../../../../docs/cost-model.md", "<!-- begin: go test ./cmd/bucketmill/internal/cost -update -->\n", "<!-- end -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	table, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", file)
	}
	want := "\n" + paperTable() + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if table != want {
		t.Errorf("%s has\n%s\nnot\n%s", file, table, want)
	}
}

// TestRequests counts the requests of a job by hand.
func TestRequests(t *testing.T) {
	j := Job{
		Bytes: 100e6, Reads: 20, Listing: objstore.Stats{Lists: 1}, Maps: 10, Reducers: 4, Pages: 1, Folders: 2,
		Program: copying, Executors: 2, Slots: 2, Cores: 2, SlotMemory: 128 << 20,
	}
	e := Expect(j)
	if e.Shuffle != 40e6 || e.Output != 100e6 {
		t.Errorf("shuffle %d, output %d", e.Shuffle, e.Output)
	}
	want := objstore.Stats{
		Gets:    2 + 20 + 10*4 + 1,      // the plan by both executors, the input, a run for each map and reduce task, _SUCCESS
		Heads:   1 + 4,                  // the output, and each part after its completion
		Puts:    1 + 10 + 4*(1+3+1) + 1, // the plan, segments of 4 MB, parts of 25 MB in 3 pieces, _SUCCESS
		Lists:   1 + 1 + 2 + 2*(1+2),    // inputs, the output, uploads of parts; two folders with uploads
		Deletes: 2,                      // of the plan, of segments
	}
	if e.Requests != want {
		t.Errorf("%+v, not\n%+v", e.Requests, want)
	}
	// $5 and 40 cents per million.
	if d := S3Prices.Of(objstore.Stats{Puts: 500_000, Lists: 500_000, Gets: 600_000, Heads: 400_000, Deletes: 9e9}); math.Abs(d-5.4) > 1e-9 {
		t.Errorf("$%v", d)
	}
	more := j
	more.StoredHandles, more.Reducers, more.Artifacts = true, 400, 1
	got := Expect(more).Requests
	// Manifests of 400 segments are written, and read by both executors; handles are read once.
	if gets := int64(2 + 2 + 20 + 10*400 + 10*2 + 400 + 1); got.Gets != gets {
		t.Errorf("%d GET, not %d", got.Gets, gets)
	}
	if puts := int64(1 + 1 + 10 + 10 + 400*(1+1+1+1) + 1); got.Puts != puts {
		t.Errorf("%d PUT, not %d", got.Puts, puts)
	}
	j.ShuffleRatio = 2 // segments of 20 MB, and runs of 5 MB
	if got := Expect(j); got.Shuffle != 200e6 || got.Requests.Puts != want.Puts+10*(1+3+1-1) || got.Requests.Heads != want.Heads+10 {
		t.Errorf("shuffle %d, %+v", got.Shuffle, got.Requests)
	}
}

func TestTime(t *testing.T) {
	j := Job{Bytes: 10 * 85e6, Maps: 100, Reducers: 1, Program: combining, Slots: 8, Cores: 4, SlotMemory: 64 << 20, Executors: 8, Pages: 1}
	if got, want := Expect(j).Time, startUp+2500*time.Millisecond; got != want {
		t.Errorf("ten seconds of work on 4 cores take %v, not %v", got, want)
	}
	j.Maps = 2
	if got, want := Expect(j).Time, startUp+5*time.Second; got != want {
		t.Errorf("ten seconds of work in 2 tasks take %v, not %v", got, want)
	}
	quick := Expect(j)
	j.Latency = time.Second
	slow := Expect(j)
	if want := time.Duration(float64(quick.Requests.Gets)/parallelGets+float64(quick.Requests.Puts)) * time.Second / 8; (slow.Time - quick.Time - want).Abs() > time.Second {
		t.Errorf("waits for answers take %v, not %v", slow.Time-quick.Time, want)
	}
}

func TestOf(t *testing.T) {
	ofUser := func(name string, rate float64) Program {
		return Program{Name: name + ", assumed to combine", Rate: rate, Combines: true}
	}
	for _, c := range []struct {
		kind   string
		name   string
		traits program.Traits
		want   Program
	}{
		{"python", "grep", program.Traits{}, ofUser("Python file", 10e6)},
		{"streaming", "x", program.Traits{}, ofUser("commands", 8e6)},
		{"exec", "x", program.Traits{}, ofUser("executable", 30e6)},
		{"builtin", "grep", program.Traits{Identity: true}, selecting},
		{"builtin", "sort", program.Traits{Identity: true}, copying},
		{"builtin", "wordcount", program.Traits{Combine: shuffle.Combine{Columns: record.Columns{record.Sum}}}, combining},
		{"builtin", "index", program.Traits{Combine: shuffle.Combine{Dedup: true}}, indexing},
	} {
		kind, err := kinds.All().Find(c.kind)
		if err != nil {
			t.Fatal(err)
		}
		if got := Of(&kind.Kind, c.name, c.traits); got != c.want {
			t.Errorf("%v %s is a %s, not a %s", c.kind, c.name, got.Name, c.want.Name)
		}
	}
}
