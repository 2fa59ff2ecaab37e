package webhook

import (
	"fmt"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// Notice is the body of a delivery: how a job ended.
type Notice struct {
	ID       job.ID           `json:"id"`
	Name     string           `json:"name"`
	State    job.State        `json:"state"`  // COMPLETED, FAILED or CANCELLED
	Output   string           `json:"output"` // URL of its folder
	Error    *Failure         `json:"error"`  // null if the job completed
	Times    Times            `json:"times"`
	Counters map[string]int64 `json:"counters"`
}

// delivery identifies the ending: a job that fails, is retried and fails again ends twice.
func (n Notice) delivery() string {
	var ended int64
	if n.Times.Ended != nil {
		ended = n.Times.Ended.UnixMilli()
	}
	return fmt.Sprintf("%s/%s/%d", n.ID, n.State, ended)
}

// Failure says why a job did not complete. It has no tracebacks, logs or records.
type Failure struct {
	Message string    `json:"message"`
	Class   job.Class `json:"class"`
	Attempt string    `json:"attempt,omitempty"` // "m12.1"
}

// Times are when a job passed its phases, by the clock of Redis, in UTC; null: it did not.
type Times struct {
	Submitted *time.Time `json:"submitted"`
	Planned   *time.Time `json:"planned"`
	MapsDone  *time.Time `json:"maps_done"`
	Published *time.Time `json:"published"` // when publishing began
	Ended     *time.Time `json:"ended"`
}

// NoticeOf makes the notice of a job that has ended.
func NoticeOf(job state.Job, spec job.Spec, counters map[string]int64) Notice {
	n := Notice{
		ID: job.ID, Name: job.Name, State: job.State, Output: spec.Output,
		Times: Times{
			Submitted: at(job.Submitted), Planned: at(job.Planned), MapsDone: at(job.MapsDone),
			Published: at(job.PublishedFrom), Ended: at(job.Ended),
		},
		Counters: counters,
	}
	if job.Error != nil {
		n.Error = &Failure{Message: job.Error.Message, Class: job.Error.Class, Attempt: job.Error.Attempt}
	}
	return n
}

// at returns nil for the zero time.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
