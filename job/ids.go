package job

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// ID names a job. It has only letters, digits, '-' and '_', up to 128 of them.
type ID string

// Valid tells whether id may name a job. It is a part of keys, where braces have a meaning.
func (id ID) Valid() bool {
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return len(id) > 0 && len(id) <= 128
}

// ExecutorID names an executor process. It holds no white space.
type ExecutorID string

// Valid tells whether id may name an executor.
func (id ExecutorID) Valid() bool {
	return len(id) > 0 && len(id) <= 256 && !strings.ContainsFunc(string(id), unicode.IsSpace)
}

// Side is the kind of a task.
type Side byte

const (
	Map    Side = 'm'
	Reduce Side = 'r'
)

func (s Side) String() string {
	switch s {
	case Map:
		return "map"
	case Reduce:
		return "reduce"
	}
	return fmt.Sprintf("side(%d)", byte(s))
}

// TaskID names a task within its job: "m12" is the map task with index 12.
type TaskID struct {
	Side  Side
	Index int // from 0
}

func (t TaskID) String() string { return string(rune(t.Side)) + strconv.Itoa(t.Index) }

// AttemptID names an attempt at a task: "m12.1" is the first.
type AttemptID struct {
	Job    ID
	Task   TaskID
	Number int // from 1; rises with every attempt at the task
	// Claimed is when it was claimed, in ms by Redis's clock. Number and Claimed are the fencing
	// token: a Redis that has lost its last writes gives numbers out again, but not at the
	// same time. 0 in an id that was parsed from a name.
	Claimed int64
}

// Name is the attempt's name within its job, "m12.1".
func (a AttemptID) Name() string { return a.Task.String() + "." + strconv.Itoa(a.Number) }

func (a AttemptID) String() string { return string(a.Job) + "/" + a.Name() }

// ParseTask reads what [TaskID.String] wrote.
func ParseTask(name string) (TaskID, error) {
	if len(name) < 2 || (name[0] != byte(Map) && name[0] != byte(Reduce)) {
		return TaskID{}, fmt.Errorf("task name %q is not like m12", name)
	}
	index, err := strconv.Atoi(name[1:])
	if err != nil || index < 0 {
		return TaskID{}, fmt.Errorf("task name %q is not like m12", name)
	}
	return TaskID{Side: Side(name[0]), Index: index}, nil
}

// ParseAttempt reads what [AttemptID.Name] wrote.
func ParseAttempt(job ID, name string) (AttemptID, error) {
	text, number, _ := strings.Cut(name, ".")
	task, err := ParseTask(text)
	if err != nil {
		return AttemptID{}, fmt.Errorf("attempt name %q is not like m12.1", name)
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return AttemptID{}, fmt.Errorf("attempt name %q is not like m12.1", name)
	}
	return AttemptID{Job: job, Task: task, Number: n}, nil
}
