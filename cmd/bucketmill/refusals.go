package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/bucketmill/bucketmill/api"
)

// explain turns what the server said, or did not say, into a sentence for whoever typed the
// command.
func (s *session) explain(err error) error {
	var (
		told    reportedError
		problem *api.Problem
		network *url.Error
		local   *fs.PathError
	)
	switch {
	case err == nil, errors.As(err, &told):
		return err
	case errors.Is(err, context.Canceled):
		return errInterrupted
	case errors.As(err, &problem):
		return refusal(problem)
	case errors.As(err, &network) && errors.As(network.Err, &local):
		return local
	case errors.As(err, &network):
		return fmt.Errorf("can't reach the server at %s: %w (is it running? --server or %sSERVER names another)", s.server, network.Err, envPrefix)
	}
	return err
}

// advice says what to do about a problem in terms of commands, where the server's own hint
// speaks of requests.
var advice = map[api.Code]string{
	api.CodeInvalidRequest:  "",
	api.CodeInvalidQuery:    "",
	api.CodeInvalidSpec:     `"bucketmill submit --help" describes what a job takes`,
	api.CodeUnauthorized:    "give a token with --token or " + envPrefix + "TOKEN",
	api.CodeForbidden:       "ask for a token with that role",
	api.CodeNoRoute:         "is it a Bucketmill server, and as new as this command?",
	api.CodeJobNotFound:     `"bucketmill list" shows the jobs that are remembered`,
	api.CodeJobNotEnded:     `"bucketmill cancel" stops it`,
	api.CodeTaskNotFound:    `"bucketmill tasks" lists them; an attempt is named like m12.1`,
	api.CodeLogNotFound:     "a log is there once its attempt has ended, unless its program said nothing",
	api.CodeObjectNotFound:  `"bucketmill ls s3://BUCKET/" shows what there is`,
	api.CodeBucketNotFound:  `"bucketmill ls" shows the buckets, and "bucketmill mb" makes one`,
	api.CodeJobConflict:     "use a new --idempotency-key for a new job",
	api.CodeJobNotCompleted: `"bucketmill status" tells how far it is`,
}

// refusal makes an error of what the server answered. A command line that it does not take is
// a wrong usage, though it could not be told here.
func refusal(p *api.Problem) error {
	answer := *p
	if hint, ok := advice[p.Code]; ok {
		answer.Hint = hint
	}
	switch p.Code {
	case api.CodeInvalidRequest, api.CodeInvalidQuery, api.CodeInvalidSpec, api.CodeAmbiguousID, api.CodeInvalidLocation:
		return usageError{&answer}
	}
	return &answer
}
