package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// Problem is the body of every answer that is not a success: application/problem+json as RFC
// 9457 has it, with three members more. Clients get it as an error.
type Problem struct {
	Type      string `json:"type"`   // "urn:bucketmill:problem:" and the code
	Title     string `json:"title"`  // the same for every problem of this code
	Status    int    `json:"status"` // as in the answer's first line
	Detail    string `json:"detail,omitempty"`
	Code      Code   `json:"code"`
	Hint      string `json:"hint,omitempty"` // what to do about it
	RequestID string `json:"request_id,omitempty"`

	cause error // for the log
}

// Error gives detail and hint in one line.
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

// Unwrap returns what the problem was made of, where it was made.
func (p *Problem) Unwrap() error { return p.cause }

// Code names a kind of problem. Codes are a part of the API: they don't change their meaning.
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

// kindOfProblem is what all problems of one code share.
type kindOfProblem struct {
	status int
	title  string
	hint   string
}

var problems = map[Code]kindOfProblem{
	CodeInvalidRequest:   {400, "The request is not valid", "GET /v1/openapi.json describes every request"},
	CodeInvalidQuery:     {400, "A query parameter is not valid", "GET /v1/openapi.json lists the parameters of every request"},
	CodeInvalidSpec:      {400, "The job spec is not valid", "GET /v1/openapi.json describes the spec"},
	CodeInvalidLocation:  {400, "The location is not valid", "write s3://bucket/key, without \".\" or \"..\" elements"},
	CodeAmbiguousID:      {400, "Several jobs have ids that begin like this", "write more of the id"},
	CodeIncompleteBody:   {400, "The body did not arrive whole", "send it again"},
	CodeUnauthorized:     {401, "A token is needed", "send the header Authorization: Bearer TOKEN"},
	CodeForbidden:        {403, "The token's role is not enough", "ask for a token with the role that the detail names"},
	CodeCrossOrigin:      {403, "Requests that change something must not come from another site's page", ""},
	CodeNotAllowed:       {403, "The location is not open to jobs and clients", "use a bucket or prefix of the server's allow-list"},
	CodeStoreDenied:      {403, "The store denies the cluster access", "check the policy of the cluster's store credentials"},
	CodeNoRoute:          {404, "There is nothing at this path", "GET /v1/openapi.json lists all paths"},
	CodeJobNotFound:      {404, "No such job", "GET /v1/jobs lists the jobs that are remembered"},
	CodeTaskNotFound:     {404, "No such task", "GET /v1/jobs/{id}/tasks lists them; one is named m0 or r0"},
	CodePartNotFound:     {404, "The output has no such part", "parts are counted from 0; GET /v1/jobs/{id}/results without part has all of them"},
	CodeLogNotFound:      {404, "No such log", "a log is there when the program has written something, of an attempt that runs within seconds of the first request for it"},
	CodeObjectNotFound:   {404, "No such object or bucket", "PUT /v1/objects/{bucket} makes a bucket"},
	CodeBucketNotFound:   {404, "No such bucket", "PUT /v1/objects/{bucket} makes it"},
	CodeMethodNotAllowed: {405, "The path does not take this method", "the header Allow says which it takes"},
	CodeBodyTooSlow:      {408, "The body arrived too slowly", "send it again over a better connection"},
	CodeJobConflict:      {409, "The idempotency key was used for another job", "use a new key for a new job"},
	CodeJobEnded:         {409, "The job has ended already", ""},
	CodeJobNotCompleted:  {409, "The job has no results", "results are there once its state is COMPLETED"},
	CodeJobNotRetryable:  {409, "The job can't be retried", "only a job that has FAILED can be retried; submit any other again"},
	CodeJobNotEnded:      {409, "The job has not ended", "cancel it first"},
	CodeOutputChanged:    {409, "The output is no longer what the job wrote", "submit the job again, to a folder of its own"},
	CodePrecondition:     {412, "A condition of the request does not hold", "read it again, and see what it is now"},
	CodeBodyTooLarge:     {413, "The body is too large", "put large data on the store and name it by URL"},
	CodeMediaType:        {415, "The content type is not supported", "send application/json, application/yaml or multipart/form-data"},
	CodeRange:            {416, "The range is not satisfiable", ""},
	CodeRateLimited:      {429, "Too many requests from this address", "wait as long as the header Retry-After says"},
	CodeTooManyJobs:      {429, "Too many jobs of this caller are active", "wait until some have ended, or cancel some"},
	CodeTooManyStreams:   {429, "Too many event streams of this caller at once", "wait as long as the header Retry-After says, or close some"},
	CodeInternal:         {500, "Something went wrong in the server", "its log has more under this request id"},
	CodeNotConfigured:    {501, "This server does not offer that", ""},
	CodeTooManyUploads:   {503, "Too many uploads at once", "wait as long as the header Retry-After says"},
	CodeStoreThrottled:   {503, "The store asks to slow down", "try again later"},
	CodeStoreUnavailable: {503, "The store does not answer", "try again later"},
	CodeStateUnavailable: {503, "Redis can't be reached, or does nothing now", "try again later"},
	CodeStateFull:        {503, "Redis is full", "wait, or have an admin delete jobs that have ended, or give Redis more memory (maxmemory)"},
	CodeNotReady:         {503, "The server is not ready", ""},
	CodeTimeout:          {504, "That took too long", "try again later"},
}

// newProblem makes a problem. Its detail is formatted as by fmt.Errorf; what %w stands for
// becomes its cause.
func newProblem(code Code, format string, args ...any) *Problem {
	kind := problems[code]
	cause := fmt.Errorf(format, args...)
	detail := bound(cause.Error())
	return &Problem{
		Type: "urn:bucketmill:problem:" + string(code), Title: kind.title, Status: kind.status,
		Detail: detail, Code: code, Hint: kind.hint, cause: cause,
	}
}

// because returns the problem with a cause that the client is not told.
func (p *Problem) because(err error) *Problem {
	p.cause = err
	return p
}

// hinted returns the problem with another hint than its kind's.
func (p *Problem) hinted(hint string) *Problem {
	p.Hint = hint
	return p
}

// sentinels say what errors of the packages below mean to a client. Those whose detail is
// hidden may name what is none of the client's business.
var sentinels = []struct {
	err    error
	code   Code
	hidden bool
}{
	{err: state.ErrNoJob, code: CodeJobNotFound},
	{err: state.ErrExists, code: CodeJobConflict},
	{err: job.ErrSpec, code: CodeInvalidSpec},
	{err: state.ErrInvalid, code: CodeInvalidRequest},
	{err: objstore.ErrNoBucket, code: CodeBucketNotFound},
	{err: objstore.ErrNotFound, code: CodeObjectNotFound},
	{err: objstore.ErrRange, code: CodeRange},
	{err: objstore.ErrDenied, code: CodeStoreDenied},
	{err: objstore.ErrInvalid, code: CodeInvalidLocation},
	{err: objstore.ErrThrottled, code: CodeStoreThrottled, hidden: true},
	{err: objstore.ErrUnavailable, code: CodeStoreUnavailable, hidden: true},
	{err: objstore.ErrNotSupported, code: CodeNotConfigured, hidden: true},
	{err: context.DeadlineExceeded, code: CodeTimeout, hidden: true},
}

// problemOf turns any error into what the client is told. A problem's own error wins over
// those below, and what is not known is internal.
func problemOf(err error) *Problem {
	var (
		p       *Problem
		echoErr *echo.HTTPError
	)
	if errors.As(err, &p) {
		answer := *p
		answer.cause = err
		return &answer
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return told(s.code, err, s.hidden)
		}
	}
	switch {
	case errors.As(err, &echoErr):
		switch echoErr.Code {
		case http.StatusNotFound:
			return newProblem(CodeNoRoute, "%s", problems[CodeNoRoute].title)
		case http.StatusMethodNotAllowed:
			return newProblem(CodeMethodNotAllowed, "%s", problems[CodeMethodNotAllowed].title)
		}
	case state.IsOutage(err):
		// The store's drivers have sentinels for theirs.
		p := told(CodeStateUnavailable, err, true)
		reply := state.OutageReply(err)
		if strings.HasPrefix(reply, "OOM") {
			p = told(CodeStateFull, err, true)
		}
		if reply != "" {
			p.Detail = "Redis answers: " + reply
		}
		return p
	}
	return told(CodeInternal, err, true)
}

// told is a problem made of an error, whose text is its detail unless it is hidden.
func told(code Code, err error, hidden bool) *Problem {
	p := newProblem(code, "%w", err)
	if hidden {
		p.Detail = ""
	}
	return p
}
