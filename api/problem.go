package api

// Problem is the body of every unsuccessful answer: application/problem+json (RFC 9457) with three
// additional members. Clients get it as an error.
type Problem struct {
	Type      string `json:"type"`   // "urn:bucketmill:problem:" and the code
	Title     string `json:"title"`  // the same for every problem of this code
	Status    int    `json:"status"` // the HTTP status
	Detail    string `json:"detail,omitempty"`
	Code      Code   `json:"code"`
	Hint      string `json:"hint,omitempty"` // what the caller can do
	RequestID string `json:"request_id,omitempty"`

	Cause error `json:"-"` // for the log
}

// Error returns detail and hint in one line.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return text
}

// Unwrap returns Cause.
func (p *Problem) Unwrap() error { return p.Cause }

// WithCause sets the cause, which clients don't see, and returns p.
func (p *Problem) WithCause(err error) *Problem {
	p.Cause = err
	return p
}

// WithHint replaces the hint, and returns p.
func (p *Problem) WithHint(hint string) *Problem {
	p.Hint = hint
	return p
}

// Code names a kind of problem. Codes are part of the API: their meaning does not change.
type Code string

// The codes.
const (
	CodeInvalidRequest   Code = "invalid_request"
	CodeInvalidQuery     Code = "invalid_query"
	CodeInvalidSpec      Code = "invalid_spec"
	CodeInvalidLocation  Code = "invalid_location"
	CodeAmbiguousID      Code = "ambiguous_id"
	CodeIncompleteBody   Code = "incomplete_body"
	CodeUnauthorized     Code = "unauthorized"
	CodeForbidden        Code = "forbidden"
	CodeCrossOrigin      Code = "cross_origin"
	CodeNotAllowed       Code = "location_not_allowed"
	CodeStoreDenied      Code = "store_denied"
	CodeNoRoute          Code = "no_route"
	CodeJobNotFound      Code = "job_not_found"
	CodeTaskNotFound     Code = "task_not_found"
	CodePartNotFound     Code = "part_not_found"
	CodeLogNotFound      Code = "log_not_found"
	CodeObjectNotFound   Code = "object_not_found"
	CodeBucketNotFound   Code = "bucket_not_found"
	CodeMethodNotAllowed Code = "method_not_allowed"
	CodeBodyTooSlow      Code = "body_too_slow"
	CodeJobConflict      Code = "job_conflict"
	CodeJobEnded         Code = "job_ended"
	CodeJobNotCompleted  Code = "job_not_completed"
	CodeJobNotRetryable  Code = "job_not_retryable"
	CodeJobNotEnded      Code = "job_not_ended"
	CodeOutputChanged    Code = "output_changed"
	CodePrecondition     Code = "precondition_failed"
	CodeBodyTooLarge     Code = "body_too_large"
	CodeMediaType        Code = "unsupported_media_type"
	CodeRange            Code = "range_not_satisfiable"
	CodeRateLimited      Code = "rate_limited"
	CodeTooManyJobs      Code = "too_many_jobs"
	CodeTooManyStreams   Code = "too_many_streams"
	CodeInternal         Code = "internal"
	CodeNotConfigured    Code = "not_configured"
	CodeTooManyUploads   Code = "too_many_uploads"
	CodeStoreThrottled   Code = "store_throttled"
	CodeStoreUnavailable Code = "store_unavailable"
	CodeStateUnavailable Code = "state_unavailable"
	CodeStateFull        Code = "state_full"
	CodeNotReady         Code = "not_ready"
	CodeTimeout          Code = "timeout"
)
