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

// configError says that a job is not one that can be run here, whatever is read for it. That may be no more than this
// executor's version.
type configError struct{ err error }

func (e *configError) Error() string { return e.err.Error() }

func (e *configError) Unwrap() error { return e.err }

// hopeless tells whether an attempt failed as every other would: the program does not even start, or the input is no
// longer what the job was planned with, or the whole of it is of a kind that is not read.
func hopeless(why error) bool {
	var user *program.UserError
	if errors.As(why, &user) && user.Final {
		return true
	}
	var changed *input.ChangedError
	var format *input.FormatError
	return errors.As(why, &changed) || errors.As(why, &format) && format.Offset == input.NoOffset
}

// classify finds whose fault an error of an attempt is, given its context.
func classify(ctx context.Context, err error) job.Class {
	var (
		user     *program.UserError
		tooLarge *shuffle.RecordTooLargeError
		config   *configError
	)
	switch {
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errUnsure):
		return job.ClassReleased // we are being stopped
	case errors.Is(err, errMapsGone):
		return job.ClassReleased
	case errors.Is(err, errDiskFull):
		return job.ClassInfra
	case errors.As(err, &user), errors.As(err, &tooLarge), errors.As(err, &config), errors.Is(err, input.ErrInput),
		errors.Is(err, objstore.ErrNotFound), errors.Is(err, objstore.ErrDenied), errors.Is(err, objstore.ErrInvalid),
		errors.Is(err, objstore.ErrCorrupt):
		return job.ClassUser // trying again is unlikely to help, so it is not tried for long
	}
	return job.ClassInfra
}

// errMapsGone says that a committed map was taken back since the reduce task was claimed. That is
// nobody's failure: the task waits until the map is done again.
var errMapsGone = errors.New("not committed any more")
