package main

import (
	"context"
	"errors"

	"github.com/bucketmill/bucketmill/job"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1   // the job, or what was asked for, failed
	exitUsage       = 2   // the command line or the job file is not right; nothing was done
	exitInterrupted = 130 // Ctrl-C or SIGTERM; all was cleaned up
	exitReaderLeft  = 141 // as of what SIGPIPE ends
)

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errInterrupted says that a signal ended the command.
var errInterrupted = errors.New("interrupted")

// reportedError is a failure that the user has been told of already.
type reportedError struct{ error }

func (e reportedError) Unwrap() error { return e.error }

// unreported returns those of joined errors that the user has not been told of.
func unreported(err error) []error {
	var reported reportedError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &reported):
		return []error{err}
	}
	var rest []error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, part := range joined.Unwrap() {
			rest = append(rest, unreported(part)...)
		}
	}
	return rest
}

func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errReaderLeft):
		return exitReaderLeft
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage), errors.Is(err, job.ErrSpec):
		return exitUsage
	}
	return exitFailed
}
