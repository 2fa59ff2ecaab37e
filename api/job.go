package api

import (
	"encoding/json"
	"time"

	"github.com/bucketmill/bucketmill/job"
)

// Job is a job as clients see it. In lists, jobs have no spec and no counters, and errors lack
// their long parts.
type Job struct {
	ID       job.ID    `json:"id"`
	Name     string    `json:"name"`
	Program  string    `json:"program"`
	State    job.State `json:"state"`
	Phase    job.Phase `json:"phase"`
	Priority int       `json:"priority"`
	// SubmittedBy is the caller's name; empty if an earlier version took the job.
	SubmittedBy string   `json:"submitted_by"`
	Progress    Progress `json:"progress"`
	Error       *Failure `json:"error"` // null unless the job failed or was cancelled
	Times       Times    `json:"times"`
	Output      string   `json:"output"`                // URL of its folder
	Inputs      int      `json:"inputs,omitempty"`      // input objects, once planned
	InputBytes  int64    `json:"input_bytes,omitempty"` // their bytes
	// What planning skipped: objects and folders whose names begin with "_" or "."; outputs of jobs
	// below the inputs; Bucketmill's own folders. EmptyInputs counts the inputs of 0 bytes, and
	// EmptyInput is the first.
	PassedOver  int    `json:"passed_over,omitempty"`
	OldOutputs  int    `json:"old_outputs,omitempty"`
	OwnFolders  int    `json:"own_folders,omitempty"`
	EmptyInputs int    `json:"empty_inputs,omitempty"`
	EmptyInput  string `json:"empty_input,omitempty"`

	Counters map[string]int64 `json:"counters,omitempty"`
	Spec     json.RawMessage  `json:"spec,omitempty"`
}

// Progress is the progress of both sides of a job.
type Progress struct {
	Map    job.Progress `json:"map"`
	Reduce job.Progress `json:"reduce"`
}

// JobList is a page of jobs, newest first.
type JobList struct {
	Jobs []Job `json:"jobs"`
	// Next is the cursor of the next page; absent on the last page. A page before the last may
	// have fewer jobs than requested, even none, because a filter looks at a limited number of
	// jobs per request.
	Next string `json:"next,omitempty"`
}

// Submitted is the answer to a submission.
type Submitted struct {
	ID    job.ID    `json:"id"`
	State job.State `json:"state"`
}

// Times are the times of a job's events, by the clock of Redis; null: not yet.
type Times struct {
	Submitted *Time `json:"submitted"`
	Planned   *Time `json:"planned"`
	MapsDone  *Time `json:"maps_done"`
	Published *Time `json:"published"` // when publishing began
	Ended     *Time `json:"ended"`
}

// Time is a time in UTC with milliseconds, in the form of RFC 3339.
type Time struct{ time.Time }

// MarshalJSON returns the time as a string.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.UTC().Format(timeLayout) + `"`), nil
}

const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// TimeOf converts a time. The zero time becomes nil.
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

// FailureOf returns a failure as the API shows it; nil for nil.
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
