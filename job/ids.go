package job

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// ID names a job. It has only letters, digits, '-' and '_', up to 128 of them.
type ID string

// Valid reports whether id may name a job. Ids are parts of Redis keys, where braces have a
// meaning.
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

// ExecutorID names an executor process. It contains no white space.
type ExecutorID string

// Valid reports whether id may name an executor.
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
	Number int // counts the attempts at the task from 1
	// Claimed is the time of the claim, in ms by the clock of Redis; 0 in an id that ParseAttempt
	// returned. Number and Claimed are the fencing token: a Redis that has lost its last writes
	// assigns a number again, but not at the same time.
	Claimed int64
}

// Name is the attempt's name within its job, "m12.1".
func (a AttemptID) Name() string { return a.Task.String() + "." + strconv.Itoa(a.Number) }

func (a AttemptID) String() string { return string(a.Job) + "/" + a.Name() }

// ParseTask parses the result of [TaskID.String].
func ParseTask(name string) (TaskID, error) {
	if len(name) < 2 || (name[0] != byte(Map) && name[0] != byte(Reduce)) {
		return TaskID{}, fmt.Errorf("invalid task name %q: write m12 or r0", name)
	}
	index, err := strconv.Atoi(name[1:])
	if err != nil || index < 0 {
		return TaskID{}, fmt.Errorf("invalid task name %q: write m12 or r0", name)
	}
	return TaskID{Side: Side(name[0]), Index: index}, nil
}

// ParseAttempt parses the result of [AttemptID.Name].
func ParseAttempt(job ID, name string) (AttemptID, error) {
	text, number, _ := strings.Cut(name, ".")
	task, err := ParseTask(text)
	if err != nil {
		return AttemptID{}, fmt.Errorf("invalid attempt name %q: write m12.1 or r0.1", name)
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return AttemptID{}, fmt.Errorf("invalid attempt name %q: write m12.1 or r0.1", name)
	}
	return AttemptID{Job: job, Task: task, Number: n}, nil
}
