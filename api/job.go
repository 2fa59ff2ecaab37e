package api

import (
	"encoding/json"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// Job is a job as clients see it. Lists leave spec, counters and the long parts of an error
// out.
type Job struct {
	ID       job.ID    `json:"id"`
	Name     string    `json:"name"`
	Program  string    `json:"program"`
	State    job.State `json:"state"`
	Phase    job.Phase `json:"phase"`
	Priority int       `json:"priority"`
	// The caller's name; empty of a job that an earlier version submitted.
	SubmittedBy string   `json:"submitted_by"`
	Progress    Progress `json:"progress"`
	Error       *Failure `json:"error"` // null unless the job failed or was cancelled
	Times       Times    `json:"times"`
	Output      string   `json:"output"`                // URL of its folder
	Inputs      int      `json:"inputs,omitempty"`      // input objects, once planned
	InputBytes  int64    `json:"input_bytes,omitempty"` // their bytes
	// Objects and folders that were passed over, since their names begin with "_" or "."; folders below the inputs'
	// with outputs of jobs, and such of Bucketmill's own, which were passed over, too; inputs of 0 bytes, and the first of them.
	PassedOver  int    `json:"passed_over,omitempty"`
	OldOutputs  int    `json:"old_outputs,omitempty"`
	OwnFolders  int    `json:"own_folders,omitempty"`
	EmptyInputs int    `json:"empty_inputs,omitempty"`
	EmptyInput  string `json:"empty_input,omitempty"`

	Counters map[string]int64 `json:"counters,omitempty"`
	Spec     json.RawMessage  `json:"spec,omitempty"`
}

// Progress is that of both sides of a job.
type Progress struct {
	Map    job.Progress `json:"map"`
	Reduce job.Progress `json:"reduce"`
}

// JobList is a page of jobs, newest first.
type JobList struct {
	Jobs []Job `json:"jobs"`
	// Next is the cursor of the next page; absent on the last. A page may hold fewer jobs than
	// asked for, even none, and still have a next one: a filter looks through so many jobs at a
	// time.
	Next string `json:"next,omitempty"`
}

// Submitted is the answer to a submission.
type Submitted struct {
	ID    job.ID    `json:"id"`
	State job.State `json:"state"`
}

// Times are when things happened to a job, by the clock of Redis; null: not yet.
type Times struct {
	Submitted *Time `json:"submitted"`
	Planned   *Time `json:"planned"`
	MapsDone  *Time `json:"maps_done"`
	Published *Time `json:"published"` // when publishing began
	Ended     *Time `json:"ended"`
}

// Time is written as RFC 3339 has it, in UTC, to the millisecond.
type Time struct{ time.Time }

// MarshalJSON writes the time in its one form.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.UTC().Format(timeLayout) + `"`), nil
}

const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// at returns nil for the zero time.
func TimeOf(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{t}
}

// Failure says what went wrong with an attempt, or with the job as a whole.
type Failure struct {
	Message  string         `json:"message"`
	Class    job.Class      `json:"class"`
	Attempt  string         `json:"attempt,omitempty"` // "m12.1"
	Executor job.ExecutorID `json:"executor,omitempty"`
	At       *Time          `json:"at"`
	Detail   string         `json:"detail,omitempty"` // a traceback
	Record   string         `json:"record,omitempty"` // the record that caused it, shortened
	Log      string         `json:"log,omitempty"`    // the attempt's last lines on stderr
}

// FailureOf is a failure as the API shows it; nil for none.
func FailureOf(f *job.Failure) *Failure {
	if f == nil {
		return nil
	}
	answer := &Failure{
		Message: f.Message, Class: f.Class, Attempt: f.Attempt, Executor: f.Executor,
		Detail: f.Detail, Record: f.Record, Log: f.Log,
	}
	if f.At > 0 {
		answer.At = TimeOf(time.UnixMilli(f.At))
	}
	return answer
}
