package state

import (
	"encoding/json"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// Stage is a job's stay in a phase: another, and a greater one, each time that it comes to a phase, also to
// one that it was in before, by a retry or since Redis has lost or forgotten something. Whoever decides on
// a job by what its record said names the record's stage, so that the decision is refused if it comes late.
type Stage int64

// AnyStage stands for whatever stage a job is in.
const AnyStage Stage = 0

// Job is a job's record.
type Job struct {
	ID       job.ID
	Name     string
	Priority int
	Spec     json.RawMessage // not of a summary
	// SubmittedBy is the caller's name; "" of a job that an earlier version submitted, or that came without a server.
	SubmittedBy string
	// Program and Output are those of the spec.
	Program, Output string
	Plan            string // what the planning controller left for the executors
	State           job.State
	Phase           job.Phase
	Stage           Stage
	Born            int64 // ms; another when the job was lost and restored
	Restored        bool  // from what the object store holds, after Redis had lost it
	Epoch           int   // another, and a greater, one for each set of committed maps that is reduced
	Map             job.Progress
	Reduce          job.Progress
	Error           *job.Failure // of a job that failed or was cancelled
	// Recovered are those tasks of an ended job that did not complete which were committed though an attempt that
	// is still known failed.
	Recovered []job.TaskID

	// By the clock of Redis; zero: not yet. A job that maps again because a segment was lost
	// keeps its first MapsDone.
	Submitted, Planned, MapsDone, PublishedFrom, Ended time.Time
	KeptUntil                                          time.Time // of a failed job: until when it may be retried
}

// Parts is how many parts the output of a job has, or -1 as long as it is not planned.
func (j Job) Parts() int {
	switch {
	case j.Plan == "":
		return -1
	case j.Reduce.Total == 0:
		return j.Map.Total
	}
	return j.Reduce.Total
}
