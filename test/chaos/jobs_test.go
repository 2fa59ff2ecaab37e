package chaos

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// testJob is a job with its expected result.
type testJob struct {
	index   int
	kind    string
	inputs  map[string][]byte // by key, as they are uploaded
	program string            // text of a .py file; empty: a builtin
	spec    job.Spec
	cancel  time.Duration // after the submission; 0: never
	want    expectation

	before     *expectation // the content of the output before the job, if the job overwrites it
	beforeText []byte       // the input of the job that wrote it
}

// A maker completes a job of its kind.
type maker struct {
	kind string
	make func(c *cluster, r *rand.Rand, j *testJob)
}

var makers = []maker{
	{"wordcount", makeWordCount},
	{"sort", makeSort},
	{"grep", makeGrep},
	{"distinct", makeDistinct},
	{"python", func(c *cluster, r *rand.Rand, j *testJob) { makePython(r, j, "") }},
	{"combined", func(c *cluster, r *rand.Rand, j *testJob) { makePython(r, j, combineFn) }},
	{"map-only", makeMapOnly},
	{"total", makeTotal},
	{"sorted-values", makeSortedValues},
	{"tiny-splits", makeTinySplits},
	{"overwrite", makeOverwrite},
	{"failing", makeFailing},
	{"failing-overwrite", makeFailingOverwrite},
	{"killer", makeKiller},
	{"cancelled", makeCancelled},
	{"slow", func(c *cluster, r *rand.Rand, j *testJob) { makeSlow(r, j, 10) }},
}

// makeJob makes the index-th job of a seed. The kinds take turns in an order that the seed
// determines.
func (c *cluster) makeJob(index int) *testJob {
	r := rand.New(rand.NewPCG(c.seed, uint64(index)+1))
	turns := rand.New(rand.NewPCG(c.seed, 1<<32+uint64(index/len(makers)))).Perm(len(makers))
	m := makers[turns[index%len(makers)]]
	j := &testJob{index: index, kind: m.kind, inputs: map[string][]byte{}}
	j.spec = job.Spec{
		Name:     fmt.Sprintf("%s %d", m.kind, index),
		Input:    job.Inputs(fmt.Sprintf("s3://%s/%d/", inputBucket, index)),
		Output:   fmt.Sprintf("s3://%s/%d", outputBucket, index),
		Priority: r.IntN(21) - 10,
	}
	m.make(c, r, j)
	return j
}

// reducers sets the number of reducers to between 1 and most.
func (j *testJob) reducers(r *rand.Rand, most int) {
	n := 1 + r.IntN(most)
	j.spec.Reducers, j.want.parts = &n, n
}

// add makes text an input of the job, sometimes compressed.
func (j *testJob) add(r *rand.Rand, text []byte) {
	key := fmt.Sprintf("%d/%c", j.index, 'a'+len(j.inputs))
	if r.IntN(4) == 0 {
		key += ".gz"
		text = gzipped(text)
	}
	j.inputs[key] = text
}

func gzipped(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(text)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a buffer accepts every write
	}
	return b.Bytes()
}

// texts gives the job n inputs of about that many bytes in total, and returns their lines.
func (j *testJob) texts(r *rand.Rand, objects, size int) [][]byte {
	var all [][]byte
	for range objects {
		text := randomText(r, size/objects)
		j.add(r, text)
		all = append(all, linesOf(text)...)
	}
	j.want.records = int64(len(all))
	return all
}

// randomText returns lines of words, a few of them frequent and many rare. The last line may lack
// its end.
func randomText(r *rand.Rand, size int) []byte {
	words := rand.NewZipf(r, 1.2, 4, 40_000)
	var b bytes.Buffer
	for b.Len() < size {
		for range r.IntN(12) {
			n := words.Uint64()
			b.WriteString([]string{"w", "Wort", "été", "語"}[n%4])
			b.WriteString(strconv.FormatUint(n, 36))
			b.WriteByte(" \t  "[r.IntN(4)])
		}
		b.WriteByte('\n')
	}
	if r.IntN(3) == 0 {
		b.WriteString("the end")
	}
	return b.Bytes()
}

func makeWordCount(_ *cluster, r *rand.Rand, j *testJob) {
	j.spec.Program = "wordcount"
	j.reducers(r, 5)
	j.spec.SplitSize = job.ByteSize(64<<10 + r.IntN(256<<10))
	j.want.lines = countWords(j.texts(r, 1+r.IntN(6), 200<<10+r.IntN(3<<20)))
}

// makeSort sorts more data than an executor's memory holds, so that the executor spills.
func makeSort(_ *cluster, r *rand.Rand, j *testJob) {
	j.spec.Program = "sort"
	j.reducers(r, 3)
	j.spec.SplitSize = 12 << 20
	j.want.lines = sorted(j.texts(r, 1+r.IntN(2), 4<<20+r.IntN(16<<20)))
	j.want.keyOnly = true
}

func makeGrep(_ *cluster, r *rand.Rand, j *testJob) {
	j.spec.Program, j.spec.Params = "grep", job.Params{"pattern": "w1[0-9a-f]"}
	j.reducers(r, 3)
	j.spec.SplitSize = job.ByteSize(100<<10 + r.IntN(200<<10))
	j.want.lines = sorted(matching(j.texts(r, 1+r.IntN(4), 2<<20)))
	j.want.keyOnly = true
}

func makeDistinct(_ *cluster, r *rand.Rand, j *testJob) {
	j.spec.Program = "distinct"
	j.reducers(r, 4)
	j.spec.Maps = 1 + r.IntN(12)
	j.want.lines = unique(sorted(j.texts(r, 1+r.IntN(4), 1<<20)))
	j.want.keyOnly = true
}

func makeMapOnly(_ *cluster, r *rand.Rand, j *testJob) {
	none := 0
	j.spec.Program, j.spec.Params, j.spec.Reducers = "grep", job.Params{"pattern": "w1[0-9a-f]"}, &none
	j.spec.SplitSize = job.ByteSize(50<<10 + r.IntN(100<<10))
	j.want.lines = sorted(matching(j.texts(r, 1+r.IntN(4), 1<<20)))
	j.want.keyOnly, j.want.mapOnly = true, true
}

// makeTotal sorts lines in total order. In some jobs a third of the lines are equal, and go to
// several parts.
func makeTotal(_ *cluster, r *rand.Rand, j *testJob) {
	j.spec.Program, j.spec.SortOrder = "sort", job.OrderTotal
	j.reducers(r, 6)
	j.spec.Maps = 2 + r.IntN(12)
	all := j.texts(r, 1+r.IntN(4), 500<<10+r.IntN(2<<20))
	if r.IntN(2) == 0 {
		heavy := bytes.Repeat([]byte("w7 heavy\n"), len(all)/2)
		j.add(r, heavy)
		all = append(all, linesOf(heavy)...)
		j.want.records = int64(len(all))
	}
	j.want.lines = sorted(all)
	j.want.keyOnly, j.want.inOrder = true, true
}

// makeSortedValues reports for each key the number of its values, the first, the last, and whether
// they came in order; sometimes in total order.
func makeSortedValues(_ *cluster, r *rand.Rand, j *testJob) {
	j.program, j.spec.SortValues = sortedValuesFn, true
	j.reducers(r, 4)
	j.spec.Maps = 1 + r.IntN(8)
	if r.IntN(2) == 0 {
		j.spec.SortOrder, j.want.inOrder = job.OrderTotal, true
	}
	j.want.lines = firstAndLast(j.texts(r, 1+r.IntN(3), 100<<10+r.IntN(300<<10)))
}

func makeTinySplits(_ *cluster, r *rand.Rand, j *testJob) {
	j.spec.Program = "wordcount"
	j.reducers(r, 9)
	j.spec.Maps = 40 + r.IntN(80)
	j.want.lines = countWords(j.texts(r, 1+r.IntN(3), 60<<10))
}

// Programs in Python.
const (
	countFn = `
def map_fn(key, value):
    for word in value.split():
        yield (word, 1)

def reduce_fn(key, values):
    yield (key, sum(values))
`
	combineFn = `
def combine_fn(key, values):
    yield (key, sum(values))
`
	sortedValuesFn = `
def map_fn(key, value):
    for word in value.split():
        yield (word[:2], word)

def reduce_fn(key, values):
    values = list(values)
    ordered = all(a <= b for a, b in zip(values, values[1:]))
    yield (key, "%d %s %s %s" % (len(values), values[0], values[-1], ordered))
`
	slowFn = `
import time
def map_fn(key, value):
    time.sleep(int(PARAMS["ms"]) / 1000)
    for word in value.split():
        yield (word, 1)

def reduce_fn(key, values):
    yield (key, sum(values))
`
	failFn = `
def map_fn(key, value):
    if value == "the end":
        raise ValueError("no such end")
    for word in value.split():
        yield (word, 1)

def reduce_fn(key, values):
    yield (key, sum(values))
`
	killFn = `
import os, signal
def map_fn(key, value):
    try:
        os.close(os.open(PARAMS["once"], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        pass
    else:
        with open(PARAMS["mark"] + str(os.getppid()), "w") as f:
            f.write(PARAMS["once"])
        os.kill(os.getppid(), signal.SIGKILL)
    for word in value.split():
        yield (word, 1)

def reduce_fn(key, values):
    yield (key, sum(values))
`
)

func makePython(r *rand.Rand, j *testJob, more string) {
	j.program = countFn + more
	j.reducers(r, 4)
	j.spec.Maps = 1 + r.IntN(8)
	j.want.lines = countWords(j.texts(r, 1+r.IntN(3), 100<<10+r.IntN(400<<10)))
}

// makeSlow makes a job that waits some milliseconds at each record.
func makeSlow(r *rand.Rand, j *testJob, ms int) {
	j.program, j.spec.Params = slowFn, job.Params{"ms": strconv.Itoa(ms)}
	j.reducers(r, 4)
	j.spec.Maps = 4 + r.IntN(8)
	j.want.lines = countWords(j.texts(r, 1+r.IntN(3), 60<<10))
}

func makeCancelled(_ *cluster, r *rand.Rand, j *testJob) {
	makeSlow(r, j, 2)
	j.cancel = time.Duration(1 + r.Int64N(int64(5*time.Second)))
	j.want.mayCancel = true
}

func makeFailing(_ *cluster, r *rand.Rand, j *testJob) {
	j.program = failFn
	j.reducers(r, 4)
	j.spec.Maps, j.spec.MaxAttempts = 1+r.IntN(8), 2
	j.texts(r, 1+r.IntN(3), 50<<10)
	j.add(r, []byte("some words\nthe end\n"))
	j.want = expectation{fails: true}
}

func makeKiller(c *cluster, r *rand.Rand, j *testJob) {
	makePython(r, j, "")
	j.program = killFn
	j.spec.Params = job.Params{
		"once": filepath.Join(c.folder, fmt.Sprintf("once-%d", j.index)), "mark": filepath.Join(c.folder, "killed-"),
	}
}

// makeOverwrite replaces the output of another job, with fewer or more parts.
func makeOverwrite(c *cluster, r *rand.Rand, j *testJob) {
	makeWordCount(c, r, j)
	j.overwrite(r)
}

func makeFailingOverwrite(c *cluster, r *rand.Rand, j *testJob) {
	makeFailing(c, r, j)
	j.overwrite(r)
}

func (j *testJob) overwrite(r *rand.Rand) {
	lines := linesOf(randomText(r, 10<<10))
	j.spec.Overwrite = true
	j.before = &expectation{lines: countWords(lines), parts: 1 + r.IntN(6), records: int64(len(lines))}
	j.beforeText = bytes.Join(lines, []byte("\n"))
}

// first returns the job whose output j overwrites; nil: none.
func (j *testJob) first() *testJob {
	if j.before == nil {
		return nil
	}
	inputs := map[string][]byte{fmt.Sprintf("%d-first/a", j.index): j.beforeText}
	f := &testJob{index: j.index, kind: "overwritten", inputs: inputs, want: *j.before}
	f.spec = job.Spec{
		Name: "overwritten " + strconv.Itoa(j.index), Program: "wordcount",
		Input:  job.Inputs(fmt.Sprintf("s3://%s/%d-first/", inputBucket, j.index)),
		Output: j.spec.Output, Reducers: &f.want.parts,
	}
	return f
}

// key returns the idempotency key of the job's submissions.
func (j *testJob) key(seed uint64) string {
	return strings.Join([]string{"chaos", strconv.FormatUint(seed, 10), j.spec.Name}, " ")
}
