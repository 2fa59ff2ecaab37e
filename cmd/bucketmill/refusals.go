package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/bucketmill/bucketmill/api"
)

// explain turns the error of a request into a sentence for the user of the command.
func (s *session) explain(err error) error {
	if _, reported := errors.AsType[reportedError](err); err == nil || reported {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	if problem, ok := errors.AsType[*api.Problem](err); ok {
		return refusal(problem)
	}
	network, ok := errors.AsType[*url.Error](err)
	if !ok {
		return err
	}
	if local, ok := errors.AsType[*fs.PathError](network.Err); ok {
		return local
	}
	return fmt.Errorf("can't reach the server at %s: %w (is it running? --server or %sSERVER names another)", s.server, network.Err, envPrefix)
}

// advice is what to do about a problem in terms of commands. It replaces hints of the server that
// are about requests.
var advice = map[api.Code]string{
	api.CodeInvalidRequest:  "",
	api.CodeInvalidQuery:    "",
	api.CodeInvalidSpec:     `"bucketmill submit --help" describes what a job takes`,
	api.CodeUnauthorized:    "give a token with --token or " + envPrefix + "TOKEN",
	api.CodeForbidden:       "ask for a token with that role",
	api.CodeNoRoute:         "is it a Bucketmill server, and not older than this command?",
	api.CodeJobNotFound:     `"bucketmill list" shows the jobs that the server knows`,
	api.CodeJobNotEnded:     `"bucketmill cancel" stops it`,
	api.CodeTaskNotFound:    `"bucketmill tasks" lists the tasks; attempts have names such as m12.1`,
	api.CodeLogNotFound:     "a log exists after its attempt has ended, unless the program printed nothing",
	api.CodeObjectNotFound:  `"bucketmill ls s3://BUCKET/" lists the objects`,
	api.CodeBucketNotFound:  `"bucketmill ls" shows the buckets, and "bucketmill mb" makes one`,
	api.CodeJobConflict:     "use a new --idempotency-key for a new job",
	api.CodeJobNotCompleted: `"bucketmill status" shows its progress`,
}

// refusal returns the error for an answer of the server. If the server refuses the command line, it
// is a usage error.
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
