package state

import (
	"encoding/json"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// Stage numbers one stay of a job in a phase. It increases whenever the job enters a phase, even
// one in which it has been before (after a retry or a loss of data). A transition names the stage
// that its caller read, and is refused if the job has left that stage.
type Stage int64

// AnyStage matches every stage.
const AnyStage Stage = 0

// Job is a job's record.
type Job struct {
	ID       job.ID
	Name     string
	Priority int
	Spec     json.RawMessage // nil in a summary
	// SubmittedBy is the caller's name; "" if an earlier version submitted the job, or it was
	// submitted without a server.
	SubmittedBy string
	// Program and Output are the spec's.
	Program, Output string
	Plan            string // what the planning controller recorded for the executors
	State           job.State
	Phase           job.Phase
	Stage           Stage
	Born            int64 // ms; changes when the job is lost and restored
	Restored        bool  // from the object store, after Redis lost it
	Epoch           int   // increases with each set of committed maps that is reduced
	Map             job.Progress
	Reduce          job.Progress
	Error           *job.Failure // of a job that failed or was cancelled
	// Recovered are the committed tasks, of an ended job that did not complete, that have an
	// attempt whose failure is still on record.
	Recovered []job.TaskID

	// By the clock of Redis; zero: not yet. A job that maps again because a segment was lost keeps
	// its first MapsDone.
	Submitted, Planned, MapsDone, PublishedFrom, Ended time.Time
	KeptUntil                                          time.Time // of a failed job: until when it may be retried
}

// Parts returns the number of parts of a job's output, or -1 if the job is not planned yet.
func (j Job) Parts() int {
	switch {
	case j.Plan == "":
		return -1
	case j.Reduce.Total == 0:
		return j.Map.Total
	}
	return j.Reduce.Total
}
