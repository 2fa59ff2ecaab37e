package api

import (
	"github.com/bucketmill/bucketmill/job"
)

// Task is a task with its known attempts.
type Task struct {
	ID       string    `json:"id"`   // "m12"
	Side     string    `json:"side"` // map or reduce
	Index    int       `json:"index"`
	State    string    `json:"state"` // pending, running, committed, or stopped if its job ended first
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

// TaskList is a page of a job's tasks: first the map tasks, then the reduce tasks. For an ended job
// it has only the tasks with remembered failed attempts.
type TaskList struct {
	Tasks []Task `json:"tasks"`
	Total int    `json:"total"` // on all pages
	// Forgotten reports that the job has ended, so that tasks without failed attempts are no longer
	// listed.
	Forgotten bool `json:"forgotten"`
	// Progress counts all tasks and attempts of the job.
	Progress Progress `json:"progress"`
}

// ActiveAttempt is a running attempt of any job.
type ActiveAttempt struct {
	Job  job.ID `json:"job"`
	Task string `json:"task"` // "m12"
	Attempt
}

// ActiveList is all running attempts.
type ActiveList struct {
	Attempts []ActiveAttempt `json:"attempts"`
}
