package mapred_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/bucketmill/bucketmill/mapred"
	"github.com/bucketmill/bucketmill/mapred/mapredtest"
)

// spent adds up a column of CSV by another. It finds them by the header, which may be another one
// in each file.
type spent struct {
	header    []byte
	key, cost int
}

func (s *spent) Map(ctx context.Context, row mapred.Record, emit *mapred.Emitter) error {
	if s.header == nil || !bytes.Equal(row.Header, s.header) {
		if err := s.columns(row.Header); err != nil {
			return err
		}
	}
	fields, err := csv.NewReader(bytes.NewReader(row.Value)).Read()
	if err != nil {
		return err
	}
	cents, err := strconv.ParseInt(fields[s.cost], 10, 64)
	if err != nil {
		mapred.Count(ctx, "rows without a cost", 1)
		return nil
	}
	emit.EmitInts([]byte(fields[s.key]), cents)
	return nil
}

func (s *spent) columns(header []byte) error {
	names, err := csv.NewReader(bytes.NewReader(header)).Read()
	if err != nil {
		return err
	}
	s.header = bytes.Clone(header)
	s.key, s.cost = slices.Index(names, "user"), slices.Index(names, "cents")
	if s.key < 0 || s.cost < 0 {
		return fmt.Errorf("want the columns user and cents, have %q", names)
	}
	return nil
}

// CSV with a header, and a counter of rows that have no number.
func ExampleRecord_csv() {
	job := func() mapred.Job {
		return mapred.Job{Mapper: &spent{}, Columns: mapred.Columns{mapred.Sum}}
	}
	show(mapredtest.Try(job,
		mapredtest.CSV("march.csv", "user,cents", "ann,300", "bob,", "ann,25"),
		mapredtest.CSV("april.csv", "cents,user,note", `50,bob,"two, or three"`)))
	// Output:
	// ann	325
	// bob	50
	// rows without a cost: 1
}

// grep emits the lines that a parameter matches. Its job has no reducers.
type grep struct{ pattern *regexp.Regexp }

func (g *grep) Setup(ctx context.Context) error {
	text, err := mapred.RequiredParam[string](ctx, "pattern")
	if err != nil {
		return err
	}
	ignoreCase, err := mapred.Param(ctx, "ignore-case", false)
	if err != nil {
		return err
	}
	if ignoreCase {
		text = "(?i)" + text
	}
	g.pattern, err = regexp.Compile(text)
	return err
}

func (g *grep) Map(_ context.Context, line mapred.Record, emit *mapred.Emitter) error {
	if g.pattern.Match(line.Value) {
		emit.Emit(fmt.Appendf(nil, "%s:%d", line.Input, line.Offset), line.Value)
	}
	return nil
}

// Parameters are read in Setup. This job has no reducers: the mapper emits the output.
func ExampleWithSetup() {
	job := func() mapred.Job { return mapred.Job{Mapper: &grep{}} }
	lines := mapredtest.Lines("a.txt", "To be", "or not", "to be")
	show(mapredtest.Try(job, lines, mapredtest.Reducers(0),
		mapredtest.Param("pattern", "^to"), mapredtest.Param("ignore-case", "true")))

	_, err := mapredtest.Try(job, lines, mapredtest.Reducers(0))
	fmt.Println(err)
	// Output:
	// a.txt:0	To be
	// a.txt:13	to be
	// setup: parameter pattern is missing; give it by -p pattern=VALUE
}

// lengths counts lines by their length, and emits all counts at the end of a task.
type lengths struct{ counts map[int]int64 }

func (l *lengths) Map(ctx context.Context, line mapred.Record, _ *mapred.Emitter) error {
	if l.counts == nil {
		l.counts = map[int]int64{}
	}
	l.counts[len(line.Value)]++
	return nil
}

func (l *lengths) Close(ctx context.Context, emit *mapred.Emitter) error {
	for length, n := range l.counts {
		emit.EmitInts(strconv.AppendInt(nil, int64(length), 10), n)
	}
	mapred.Status(ctx, fmt.Sprintf("map task %d: %d lengths", mapred.TaskOf(ctx).Number, len(l.counts)))
	return nil
}

// A mapper that holds its records back until its task ends.
func ExampleWithClose() {
	job := func() mapred.Job {
		return mapred.Job{Mapper: &lengths{}, Columns: mapred.Columns{mapred.Sum}}
	}
	show(mapredtest.Try(job, mapredtest.Lines("a.txt", "to be", "or", "or not", "to be"), mapredtest.MapTasks(2)))
	// Output:
	// 2	1
	// 5	2
	// 6	1
	// status: map task 0: 2 lengths
	// status: map task 1: 2 lengths
}
