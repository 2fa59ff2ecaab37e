package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// kindOfProblem is what all problems with one code share.
type kindOfProblem struct {
	status int
	title  string
	hint   string
}

var problems = map[api.Code]kindOfProblem{
	api.CodeInvalidRequest:   {400, "The request is not valid", "GET /v1/openapi.json describes every request"},
	api.CodeInvalidQuery:     {400, "A query parameter is not valid", "GET /v1/openapi.json lists the parameters of every request"},
	api.CodeInvalidSpec:      {400, "The job spec is not valid", "GET /v1/openapi.json describes the spec"},
	api.CodeInvalidLocation:  {400, "The location is not valid", "write s3://bucket/key, without \".\" or \"..\" elements"},
	api.CodeAmbiguousID:      {400, "Several jobs have ids that begin like this", "give more of the id"},
	api.CodeIncompleteBody:   {400, "The body did not arrive completely", "send it again"},
	api.CodeUnauthorized:     {401, "A token is needed", "send the header Authorization: Bearer TOKEN"},
	api.CodeForbidden:        {403, "The token's role is not enough", "ask for a token with the role that the detail names"},
	api.CodeCrossOrigin:      {403, "Requests that change something must not come from a page of another site", ""},
	api.CodeNotAllowed:       {403, "The location is not open to jobs and clients", "use a bucket or prefix of the server's allow-list"},
	api.CodeStoreDenied:      {403, "The store denies the cluster access", "check the policy of the cluster's store credentials"},
	api.CodeNoRoute:          {404, "There is nothing at this path", "GET /v1/openapi.json lists all paths"},
	api.CodeJobNotFound:      {404, "No such job", "GET /v1/jobs lists the known jobs"},
	api.CodeTaskNotFound:     {404, "No such task", "GET /v1/jobs/{id}/tasks lists them; one is named m0 or r0"},
	api.CodePartNotFound:     {404, "The output has no such part", "parts are numbered from 0; GET /v1/jobs/{id}/results without part returns all of them"},
	api.CodeLogNotFound:      {404, "No such log", "a log exists when the program has written something; for a running attempt, within seconds of the first request for the log"},
	api.CodeObjectNotFound:   {404, "No such object or bucket", "PUT /v1/objects/{bucket} makes a bucket"},
	api.CodeBucketNotFound:   {404, "No such bucket", "PUT /v1/objects/{bucket} makes it"},
	api.CodeMethodNotAllowed: {405, "The path does not support this method", "the header Allow lists its methods"},
	api.CodeBodyTooSlow:      {408, "The body arrived too slowly", "send it again over a better connection"},
	api.CodeJobConflict:      {409, "The idempotency key was used for another job", "use a new key for a new job"},
	api.CodeJobEnded:         {409, "The job has ended already", ""},
	api.CodeJobNotCompleted:  {409, "The job has no results", "results are there once its state is COMPLETED"},
	api.CodeJobNotRetryable:  {409, "The job can't be retried", "only a job that has FAILED can be retried; submit any other again"},
	api.CodeJobNotEnded:      {409, "The job has not ended", "cancel it first"},
	api.CodeOutputChanged:    {409, "The output is no longer what the job wrote", "submit the job again, with another output folder"},
	api.CodePrecondition:     {412, "A condition of the request is not met", "read it again to see what has changed"},
	api.CodeBodyTooLarge:     {413, "The body is too large", "put large data on the store and name it by URL"},
	api.CodeMediaType:        {415, "The content type is not supported", "send application/json, application/yaml or multipart/form-data"},
	api.CodeRange:            {416, "The range is not satisfiable", ""},
	api.CodeRateLimited:      {429, "Too many requests from this address", "wait as long as the header Retry-After says"},
	api.CodeTooManyJobs:      {429, "Too many jobs of this caller are active", "wait until some have ended, or cancel some"},
	api.CodeTooManyStreams:   {429, "Too many event streams of this caller at once", "wait as long as the header Retry-After says, or close some"},
	api.CodeInternal:         {500, "Something went wrong in the server", "its log has more under this request id"},
	api.CodeNotConfigured:    {501, "This server does not support that", ""},
	api.CodeTooManyUploads:   {503, "Too many uploads at once", "wait as long as the header Retry-After says"},
	api.CodeStoreThrottled:   {503, "The store asks to slow down", "try again later"},
	api.CodeStoreUnavailable: {503, "The store does not answer", "try again later"},
	api.CodeStateUnavailable: {503, "Redis can't be reached, or can't work now", "try again later"},
	api.CodeStateFull:        {503, "Redis is full", "wait, or have an admin delete jobs that have ended, or give Redis more memory (maxmemory)"},
	api.CodeNotReady:         {503, "The server is not ready", ""},
	api.CodeTimeout:          {504, "That took too long", "try again later"},
}

// newProblem makes a problem. Its detail is formatted as by fmt.Errorf, and the error of %w becomes
// its cause.
func newProblem(code api.Code, format string, args ...any) *api.Problem {
	kind := problems[code]
	cause := fmt.Errorf(format, args...)
	detail := bound(cause.Error())
	return &api.Problem{
		Type: "urn:bucketmill:problem:" + string(code), Title: kind.title, Status: kind.status,
		Detail: detail, Code: code, Hint: kind.hint, Cause: cause,
	}
}

// sentinels map errors of the packages below to codes. The details of the hidden ones may name what
// a client must not learn.
var sentinels = []struct {
	err    error
	code   api.Code
	hidden bool
}{
	{err: state.ErrNoJob, code: api.CodeJobNotFound},
	{err: state.ErrExists, code: api.CodeJobConflict},
	{err: job.ErrSpec, code: api.CodeInvalidSpec},
	{err: state.ErrInvalid, code: api.CodeInvalidRequest},
	{err: objstore.ErrNoBucket, code: api.CodeBucketNotFound},
	{err: objstore.ErrNotFound, code: api.CodeObjectNotFound},
	{err: objstore.ErrRange, code: api.CodeRange},
	{err: objstore.ErrDenied, code: api.CodeStoreDenied},
	{err: objstore.ErrInvalid, code: api.CodeInvalidLocation},
	{err: objstore.ErrThrottled, code: api.CodeStoreThrottled, hidden: true},
	{err: objstore.ErrUnavailable, code: api.CodeStoreUnavailable, hidden: true},
	{err: objstore.ErrNotSupported, code: api.CodeNotConfigured, hidden: true},
	{err: context.DeadlineExceeded, code: api.CodeTimeout, hidden: true},
}

// problemOf turns any error into a problem. A problem in the chain of errors wins over the
// sentinels, and an unknown error is an internal one.
func problemOf(err error) *api.Problem {
	var (
		p       *api.Problem
		echoErr *echo.HTTPError
	)
	if errors.As(err, &p) {
		answer := *p
		answer.Cause = err
		return &answer
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return problemFrom(s.code, err, s.hidden)
		}
	}
	switch {
	case errors.As(err, &echoErr):
		switch echoErr.Code {
		case http.StatusNotFound:
			return newProblem(api.CodeNoRoute, "%s", problems[api.CodeNoRoute].title)
		case http.StatusMethodNotAllowed:
			return newProblem(api.CodeMethodNotAllowed, "%s", problems[api.CodeMethodNotAllowed].title)
		}
	case state.IsOutage(err):
		// Errors of the store are sentinels, so this one is of Redis.
		p := problemFrom(api.CodeStateUnavailable, err, true)
		reply := state.OutageReply(err)
		if strings.HasPrefix(reply, "OOM") {
			p = problemFrom(api.CodeStateFull, err, true)
		}
		if reply != "" {
			p.Detail = "Redis answers: " + reply
		}
		return p
	}
	return problemFrom(api.CodeInternal, err, true)
}

// problemFrom makes a problem of an error. The error's text is the detail, unless it is hidden.
func problemFrom(code api.Code, err error, hidden bool) *api.Problem {
	p := newProblem(code, "%w", err)
	if hidden {
		p.Detail = ""
	}
	return p
}
