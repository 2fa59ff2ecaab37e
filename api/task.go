package api

import (
	"github.com/bucketmill/bucketmill/job"
)

// Task is a task with those of its attempts that are known.
type Task struct {
	ID       string    `json:"id"`   // "m12"
	Side     string    `json:"side"` // map or reduce
	Index    int       `json:"index"`
	State    string    `json:"state"` // pending, running, committed, or stopped when its job ended before it did
	Attempts []Attempt `json:"attempts"`
}

// Attempt is an attempt at a task.
type Attempt struct {
	Number   int            `json:"number"`
	State    string         `json:"state"` // running, committed or failed
	Executor job.ExecutorID `json:"executor"`
	Started  *Time          `json:"started"`
	Ended    *Time          `json:"ended"`
	Progress float64        `json:"progress"` // 0 to 1
	Error    *Failure       `json:"error,omitempty"`
}

// TaskList is a page of a job's tasks: those of the map side, then those of the reduce side. Of an ended job
// only the tasks with failed attempts that are remembered are listed.
type TaskList struct {
	Tasks []Task `json:"tasks"`
	Total int    `json:"total"` // on all pages
	// Forgotten says that the job has ended, so that tasks without a failed attempt are listed no longer.
	Forgotten bool `json:"forgotten"`
	// Progress counts the tasks and attempts of the job, whatever is listed.
	Progress Progress `json:"progress"`
}

// ActiveAttempt is an attempt that runs, of any job.
type ActiveAttempt struct {
	Job  job.ID `json:"job"`
	Task string `json:"task"` // "m12"
	Attempt
}

// ActiveList is what runs now.
type ActiveList struct {
	Attempts []ActiveAttempt `json:"attempts"`
}
