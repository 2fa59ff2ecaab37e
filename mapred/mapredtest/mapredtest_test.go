package mapredtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/mapred"
	"github.com/bucketmill/bucketmill/mapred/mapredtest"
)

// words counts words with a combiner, as a job without Columns does.
func words() mapred.Job {
	add := mapred.ReduceFunc(func(ctx context.Context, key []byte, values iter.Seq[[]byte], emit *mapred.Emitter) error {
		total := int64(0)
		for v := range values {
			n, err := strconv.ParseInt(string(v), 10, 64)
			if err != nil {
				return err
			}
			total += n
		}
		emit.EmitInts(key, total)
		return nil
	})
	return mapred.Job{
		Mapper: mapred.MapFunc(func(ctx context.Context, line mapred.Record, emit *mapred.Emitter) error {
			mapred.Count(ctx, "lines", 1)
			for word := range bytes.FieldsSeq(line.Value) {
				emit.EmitString(string(word), "1")
			}
			return nil
		}),
		Combiner: add,
		Reducer:  add,
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	got := mapredtest.Run(t, words, mapredtest.Lines("a", "b a", "b"), mapredtest.Lines("b", "c c c b"))
	if want := []string{"a\t1", "b\t3", "c\t3"}; !slices.Equal(got.Output, want) {
		t.Errorf("got %q, want %q", got.Output, want)
	}
	if got.Counters["lines"] != 3 {
		t.Errorf("counters: %v", got.Counters)
	}
}

func TestPartsAndTasks(t *testing.T) {
	t.Parallel()
	lines := mapredtest.Lines("a", "b a", "b", "c c c b", "d e f g h", "i")
	got := mapredtest.Run(t, words, lines, mapredtest.MapTasks(3), mapredtest.Reducers(4))
	sorted := slices.Sorted(slices.Values(got.Output))
	want := mapredtest.Run(t, words, lines)
	if len(got.Parts) != 4 || !slices.Equal(sorted, want.Output) {
		t.Errorf("got %q, want %q", got.Parts, want.Output)
	}
	mapOnly := mapredtest.Run(t, words, lines, mapredtest.MapTasks(2), mapredtest.Reducers(0))
	if len(mapOnly.Parts) != 2 || !slices.Equal(mapOnly.Parts[0], []string{"b\t1", "a\t1", "b\t1"}) {
		t.Errorf("map only: %q", mapOnly.Parts)
	}
}

// offsets emits the place of each record.
func offsets() mapred.Job {
	return mapred.Job{Mapper: mapred.MapFunc(func(ctx context.Context, r mapred.Record, emit *mapred.Emitter) error {
		emit.EmitString(fmt.Sprintf("%s %s %d", mapred.TaskOf(ctx).Format, filepath.Base(r.Input), r.Offset), fmt.Sprintf("%s|%s", r.Header, r.Value))
		return nil
	})}
}

func TestInputs(t *testing.T) {
	t.Parallel()
	text, table := filepath.Join(t.TempDir(), "x.txt"), filepath.Join(t.TempDir(), "x.csv")
	for path, data := range map[string]string{text: "one\r\ntwo", table: "a,b\r\n1,2\n"} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		input mapredtest.Option
		want  []string
	}{
		"lines":   {mapredtest.Lines("x", "a", "", "b"), []string{"text x 0\t|a", "text x 2\t|", "text x 3\t|b"}},
		"CSV":     {mapredtest.CSV("x", "h", "a", "b"), []string{"csv x 2\th|a", "csv x 4\th|b"}},
		"no rows": {mapredtest.CSV("x", "h"), nil},
		"records": {mapredtest.Records("x", []byte("a\n"), []byte("b")), []string{"whole x 0\t|a\n", "whole x 2\t|b"}},
		"a file":  {mapredtest.File(text), []string{"text x.txt 0\t|one", "text x.txt 5\t|two"}},
		"a table": {mapredtest.File(table), []string{"csv x.csv 5\ta,b|1,2"}},
	} {
		for _, tasks := range []int{1, 2, 7} {
			got := mapredtest.Run(t, offsets, c.input, mapredtest.Reducers(0), mapredtest.MapTasks(tasks))
			if !slices.Equal(got.Output, c.want) {
				t.Errorf("%s in %d tasks: got %q, want %q", name, tasks, got.Output, c.want)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	failing := func() mapred.Job {
		job := words()
		job.Mapper = mapred.MapFunc(func(context.Context, mapred.Record, *mapred.Emitter) error { return errUnfit })
		return job
	}
	panicking := func() mapred.Job {
		job := words()
		job.Mapper = mapred.MapFunc(func(context.Context, mapred.Record, *mapred.Emitter) error { panic("oh") })
		return job
	}
	badCombiner := func() mapred.Job {
		job := words()
		job.Combiner = mapred.ReduceFunc(func(_ context.Context, _ []byte, _ iter.Seq[[]byte], _ *mapred.Emitter) error { return errUnfit })
		return job
	}
	lines := mapredtest.Lines("f", "a", "b")
	for name, c := range map[string]struct {
		job     func() mapred.Job
		options []mapredtest.Option
		want    string
	}{
		"a mapper that fails":   {failing, nil, `map task 0: map: unfit (f at byte 0, value "a")`},
		"a mapper that panics":  {panicking, nil, "mapredtest_test.go:"},
		"a combiner that fails": {badCombiner, nil, `combine: unfit (key "a")`},
		"no reducer":            {offsets, nil, "run it with Reducers(0)"},
		"two formats":           {words, []mapredtest.Option{mapredtest.CSV("x", "h")}, "the formats text and csv"},
		"no such file":          {words, []mapredtest.Option{mapredtest.File("/no/such")}, "no such file"},
		"no map task":           {words, []mapredtest.Option{mapredtest.MapTasks(0)}, "0 map tasks"},
		"fewer than 0 reducers": {words, []mapredtest.Option{mapredtest.Reducers(-1)}, "-1 reducers"},
	} {
		_, err := mapredtest.Try(c.job, append([]mapredtest.Option{lines}, c.options...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if _, err := mapredtest.Try(failing, lines); !errors.Is(err, errUnfit) {
		t.Errorf("%v is not the mapper's error", err)
	}
}

var errUnfit = errors.New("unfit")

// Each of these jobs looks right as long as its combiner is not called, or values come in one
// order.
func TestUnstableJobsAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*mapred.Job)
		with   string
	}{
		"a reducer that takes the first value": {func(j *mapred.Job) {
			j.Combiner, j.Reducer = nil, mapred.ReduceFunc(func(_ context.Context, key []byte, values iter.Seq[[]byte], emit *mapred.Emitter) error {
				for v := range values {
					emit.Emit(key, v)
					return nil
				}
				return nil
			})
		}, "values in another order"},
		"a reducer that counts values": {func(j *mapred.Job) {
			j.Reducer = mapred.ReduceFunc(func(_ context.Context, key []byte, values iter.Seq[[]byte], emit *mapred.Emitter) error {
				n := int64(0)
				for range values {
					n++
				}
				emit.EmitInts(key, n)
				return nil
			})
		}, "no combiner"},
		"a combiner that doubles its own output": {func(j *mapred.Job) {
			add := j.Reducer
			j.Combiner = mapred.ReduceFunc(func(ctx context.Context, key []byte, values iter.Seq[[]byte], emit *mapred.Emitter) error {
				for v := range values {
					if string(v) != "1" {
						emit.EmitString(string(key), "1000")
					}
					emit.Emit(key, v)
				}
				return nil
			})
			j.Reducer = add
		}, "a combiner that is called with its own output"},
	} {
		job := func() mapred.Job {
			j := words()
			j.Mapper = mapred.MapFunc(func(_ context.Context, line mapred.Record, emit *mapred.Emitter) error {
				key, value, _ := bytes.Cut(line.Value, []byte(" "))
				emit.Emit(key, value)
				return nil
			})
			c.change(&j)
			return j
		}
		lines := []string{"a 1", "a 2", "a 1", "b 1", "b 1", "a 3"}
		_, err := mapredtest.Try(job, mapredtest.Lines("f", lines...))
		var unstable *mapredtest.UnstableError
		if !errors.As(err, &unstable) {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		t.Logf("%s: %v", name, err)
		if _, err := mapredtest.Try(job, mapredtest.Lines("f", lines...), mapredtest.Unstable()); err != nil {
			t.Errorf("%s: accepted as unstable: %v", name, err)
		}
	}
}

func TestClosesWhatTakesPart(t *testing.T) {
	t.Parallel()
	job := func() mapred.Job {
		j := words()
		j.Combiner, j.Reducer = &closing{Reducer: j.Combiner}, &closing{Reducer: j.Reducer, emits: true}
		return j
	}
	got := mapredtest.Run(t, job, mapredtest.Lines("f", "a b", "a"))
	if want := []string{"a\t2", "b\t1", "~\tend"}; !slices.Equal(got.Output, want) {
		t.Errorf("got %q, want %q", got.Output, want)
	}
}

// closing is a reducer that notes its end in the output; a combiner's must not be called.
type closing struct {
	mapred.Reducer
	ready, emits bool
}

func (c *closing) Setup(context.Context) error { c.ready = true; return nil }

func (c *closing) Close(_ context.Context, emit *mapred.Emitter) error {
	if !c.ready || !c.emits {
		return errUnfit
	}
	emit.EmitString("~", "end")
	return nil
}
