package mapred

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bucketmill/bucketmill/internal/frames"
)

// Kind says what a task does.
type Kind string

// The kinds of tasks.
const (
	Map    Kind = "map"
	Reduce Kind = "reduce"
	// Check is the run that calls Setup before a job starts, and nothing else.
	Check Kind = "check"
)

// A Task is what a program may know of the task that it runs.
type Task struct {
	// Job is the job's id; empty in a check.
	Job string
	// Kind says what the task does.
	Kind Kind
	// Number and Attempt count from 0.
	Number, Attempt int
	// Format is the input format's name: text, csv, jsonl, …
	Format string
	// Reducers is the number of reduce tasks; 0 says that the mapper emits the output.
	Reducers int
	// Memory is what the process may use, in bytes; 0 means that no limit is set.
	Memory int64
}

// TaskOf returns the task that ctx belongs to. Like all functions of a task's context it panics if
// ctx is not derived from one that a Mapper or Reducer got, and may be called concurrently.
func TaskOf(ctx context.Context) Task { return taskOf(ctx).Task }

// Count adds n to a counter of the job, which the job's report shows. A counter beyond 64 bits
// fails the attempt. Only attempts that succeed count.
func Count(ctx context.Context, name string, n int64) { taskOf(ctx).count(name, n) }

// Status writes a line to the attempt's log. It also tells the executor that the task makes
// progress: call it now and then in a call that takes minutes, or the task is taken for stuck and
// is reassigned.
//
// What is written to os.Stderr or os.Stdout goes to the same log.
func Status(ctx context.Context, text string) {
	t := taskOf(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	// A log that can't be written is no reason to fail.
	_, _ = io.WriteString(t.log, "status: "+strings.ReplaceAll(text, "\n", " ")+"\n")
}

// ParamType is a type of parameters.
type ParamType interface {
	string | bool | int | int64 | float64 | time.Duration
}

// Param returns a parameter of the job (-p NAME=VALUE), or otherwise if it is not given. It fails
// if the parameter is not of type T.
func Param[T ParamType](ctx context.Context, name string, otherwise T) (T, error) {
	text, ok := taskOf(ctx).params[name]
	if !ok {
		return otherwise, nil
	}
	return parse[T](name, text)
}

// RequiredParam is Param for a parameter that must be given.
func RequiredParam[T ParamType](ctx context.Context, name string) (T, error) {
	text, ok := taskOf(ctx).params[name]
	if !ok {
		var none T
		return none, fmt.Errorf("parameter %s is missing; give it by -p %s=VALUE", name, name)
	}
	return parse[T](name, text)
}

func parse[T ParamType](name, text string) (value T, err error) {
	switch v := any(&value).(type) {
	case *string:
		*v = text
	case *bool:
		*v, err = strconv.ParseBool(text)
	case *int:
		*v, err = strconv.Atoi(text)
	case *int64:
		*v, err = strconv.ParseInt(text, 10, 64)
	case *float64:
		*v, err = strconv.ParseFloat(text, 64)
	case *time.Duration:
		*v, err = time.ParseDuration(text)
	}
	if err != nil {
		return value, fmt.Errorf("parameter %s=%q is not a valid %T", name, text, value)
	}
	return value, nil
}

// task is what the context of a task carries.
type task struct {
	Task
	params map[string]string

	mu       sync.Mutex
	log      io.Writer        // guarded by mu
	counters map[string]int64 // guarded by mu
	overflow error            // guarded by mu; of the first counter that did
}

type taskKey struct{}

func taskOf(ctx context.Context) *task {
	t, ok := ctx.Value(taskKey{}).(*task)
	if !ok {
		panic("mapred: the context does not belong to a task; pass on the one that Map, Reduce or Setup got")
	}
	return t
}

func newTask(hello *frames.Hello, log io.Writer) *task {
	return &task{
		Task: Task{
			Job: hello.Job, Kind: Kind(hello.Role), Number: hello.Task, Attempt: hello.Attempt,
			Format: hello.Format, Reducers: hello.Reducers, Memory: hello.Memory,
		},
		params: hello.Params, log: log, counters: map[string]int64{},
	}
}

func (t *task) count(name string, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.counters[name]
	sum := old + n
	if (sum^n)&(sum^old) < 0 && t.overflow == nil {
		t.overflow = fmt.Errorf("the counter %q is beyond 64 bits", name)
	}
	t.counters[name] = sum
}

// counted returns the counters of a task that has ended well.
func (t *task) counted() (map[string]int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counters, t.overflow
}
