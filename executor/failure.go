package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/shuffle"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
)

// segmentError says that a committed map attempt's segment can't be read.
type segmentError struct {
	attempt job.AttemptID
	err     error
}

func (e *segmentError) Error() string {
	return fmt.Sprintf("read the output of %s: %v", e.attempt, e.err)
}

func (e *segmentError) Unwrap() error { return e.err }

// configError says that this executor can't run a job at all, whatever its input. The reason may be
// just the executor's version.
type configError struct{ err error }

func (e *configError) Error() string { return e.err.Error() }

func (e *configError) Unwrap() error { return e.err }

// hopeless reports whether every other attempt would fail, too: the program does not even start,
// the input has changed since the job was planned, or the whole input has a format that can't be
// read.
func hopeless(why error) bool {
	var user *program.UserError
	if errors.As(why, &user) && user.Final {
		return true
	}
	var changed *input.ChangedError
	var format *input.FormatError
	return errors.As(why, &changed) || errors.As(why, &format) && format.Offset == input.NoOffset
}

// classify returns whose fault an error of an attempt is, given the attempt's context.
func classify(ctx context.Context, err error) job.Class {
	var (
		user     *program.UserError
		tooLarge *shuffle.RecordTooLargeError
		config   *configError
	)
	switch {
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errUnsure):
		return job.ClassReleased // the executor is being stopped
	case errors.Is(err, errMapsGone):
		return job.ClassReleased
	case errors.Is(err, errDiskFull):
		return job.ClassInfra
	case errors.As(err, &user), errors.As(err, &tooLarge), errors.As(err, &config), errors.Is(err, input.ErrInput),
		errors.Is(err, objstore.ErrNotFound), errors.Is(err, objstore.ErrDenied), errors.Is(err, objstore.ErrInvalid),
		errors.Is(err, objstore.ErrCorrupt):
		return job.ClassUser // another attempt is unlikely to help, so there are few
	}
	return job.ClassInfra
}

// errMapsGone says that a committed map task has been undone since the reduce task was claimed.
// This is not a failure of the attempt: the reduce task waits until the map task is done again.
var errMapsGone = errors.New("no longer committed")
