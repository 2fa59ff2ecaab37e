package main

import (
	"context"
	"errors"

	"github.com/bucketmill/bucketmill/job"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1   // the job or the command failed
	exitUsage       = 2   // the command line or the job file is wrong; nothing was done
	exitInterrupted = 130 // Ctrl-C or SIGTERM; everything was cleaned up
	exitReaderLeft  = 141 // like a process that SIGPIPE ends
)

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errInterrupted says that a signal ended the command.
var errInterrupted = errors.New("interrupted")

// reportedError is an error that was already printed.
type reportedError struct{ error }

func (e reportedError) Unwrap() error { return e.error }

// unreported returns those of joined errors that were not printed yet.
func unreported(err error) []error {
	if err == nil {
		return nil
	}
	if _, reported := errors.AsType[reportedError](err); !reported {
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
	_, usage := errors.AsType[usageError](err)
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errReaderLeft):
		return exitReaderLeft
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case usage, errors.Is(err, job.ErrSpec):
		return exitUsage
	}
	return exitFailed
}
