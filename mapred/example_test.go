package mapred_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/bucketmill/bucketmill/internal/record"
	"github.com/bucketmill/bucketmill/mapred"
)

// The main function of a program is mapred.Main(job). Try runs the job in a test.
func Example() {
	sum := mapred.ReduceFunc(func(word []byte, counts *mapred.Values, emit *mapred.Emitter) error {
		total := 0
		for count := range counts.All() {
			n, err := strconv.Atoi(string(count))
			if err != nil {
				return err
			}
			total += n
		}
		emit.Emit(word, strconv.AppendInt(nil, int64(total), 10))
		return nil
	})
	job := mapred.Job{
		Mapper: mapred.MapFunc(func(_, line []byte, emit *mapred.Emitter) error {
			for word := range bytes.FieldsSeq(line) {
				emit.Emit(word, []byte("1"))
			}
			return nil
		}),
		Combiner: sum,
		Reducer:  sum,
	}

	got, err := mapred.Try(job, nil, record.Batch{Framing: record.Lines, Data: []byte("to be or not\nto be\n")})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, line := range got.Output {
		fmt.Printf("%q\n", line)
	}
	// Output:
	// "be\t2"
	// "not\t1"
	// "or\t1"
	// "to\t2"
}

// A program with state of its own is a type with methods. Setup gives it the task, which knows the
// job's parameters, the object that records come from, and counters.
func ExampleTask() {
	c := &column{}
	job := mapred.Job{Setup: c.setup, Mapper: c}

	got, err := mapred.Try(job, map[string]string{"column": "amount"}, record.Batch{
		Input:   "s3://inbox/events.csv",
		Framing: record.Lines,
		Header:  []byte("user,amount"),
		Data:    []byte("ann,3\nbob,\n"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q %v\n", got.Output, got.Counters)
	// Output:
	// ["3\ts3://inbox/events.csv"] map[empty fields:1]
}

// column emits one field of each row of CSV.
type column struct {
	task *mapred.Task
	name string
}

func (c *column) setup(task *mapred.Task) error {
	c.task, c.name = task, task.Params["column"]
	if c.name == "" {
		return errors.New("the parameter column is missing")
	}
	return nil
}

func (c *column) Map(_, row []byte, emit *mapred.Emitter) error {
	names, err := fields(c.task.Header)
	if err != nil {
		return err
	}
	values, err := fields(row)
	if err != nil {
		return err
	}
	i := slices.Index(names, c.name)
	if i < 0 || i >= len(values) {
		return fmt.Errorf("there is no column %q", c.name)
	}
	if values[i] == "" {
		c.task.Count("empty fields", 1)
		return nil
	}
	emit.Emit([]byte(values[i]), []byte(c.task.Input))
	return nil
}

func fields(row []byte) ([]string, error) { return csv.NewReader(bytes.NewReader(row)).Read() }
