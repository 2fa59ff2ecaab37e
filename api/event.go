package api

import (
	"github.com/bucketmill/bucketmill/job"
)

// Event is a change of a job. In an event stream its id and type are also the fields "id" and
// "event".
type Event struct {
	ID       string    `json:"id,omitempty"` // increasing; progress has none, because it is not kept
	Type     string    `json:"type"`
	At       *Time     `json:"at,omitempty"`
	State    job.State `json:"state,omitempty"`    // of type state, and progress
	Phase    job.Phase `json:"phase,omitempty"`    // of type phase, and progress
	Failure  *Failure  `json:"failure,omitempty"`  // of types attempt_failed and webhook_failed, and of state FAILED and CANCELLED; without its long parts
	Progress *Progress `json:"progress,omitempty"` // of type progress
}

// Types of events. More may come.
const (
	EventState         = "state"          // the job's state has changed
	EventPhase         = "phase"          // the job's phase has changed
	EventAttemptFailed = "attempt_failed" // an attempt failed
	EventWebhookFailed = "webhook_failed" // the webhook could not be called
	EventProgress      = "progress"       // the job's progress; at most one event a second
	EventEnded         = "ended"          // the job is cleaned up; the last event
)
