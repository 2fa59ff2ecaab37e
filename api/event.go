package api

import (
	"github.com/bucketmill/bucketmill/job"
)

// Event is what happened to a job. On the stream its id and type are also the fields "id" and
// "event".
type Event struct {
	ID       string    `json:"id,omitempty"` // rises; progress has none, for it is not kept
	Type     string    `json:"type"`
	At       *Time     `json:"at,omitempty"`
	State    job.State `json:"state,omitempty"`    // of type state, and progress
	Phase    job.Phase `json:"phase,omitempty"`    // of type phase, and progress
	Failure  *Failure  `json:"failure,omitempty"`  // of types attempt_failed and webhook_failed, and of state FAILED and CANCELLED; without its long parts
	Progress *Progress `json:"progress,omitempty"` // of type progress
}

// Types of events. More may come.
const (
	EventState         = "state"          // the job's state is another
	EventPhase         = "phase"          // so is its phase
	EventAttemptFailed = "attempt_failed" // an attempt came to nothing
	EventWebhookFailed = "webhook_failed" // the webhook was not told of the end
	EventProgress      = "progress"       // how far the job is; at most one a second
	EventEnded         = "ended"          // the job is cleaned up; the last one
)
