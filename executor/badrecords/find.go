package badrecords

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/bucketmill/bucketmill/executor/program"
)

// Units are the units of a task, which can be skipped one by one: the records of a map task, the
// groups (a key with all its values) of a reduce task. A unit is named by its ordinal in the task,
// from 0, which is the same for every attempt.
type Units interface {
	// Try starts the program afresh, runs it over the units from one to before another, and throws
	// away what the program makes. End is behind the last unit that the program got.
	Try(ctx context.Context, from, until int64) (end int64, err error)
	// Named returns the unit in that range that an error of the program names, or -1.
	Named(ctx context.Context, from, until int64, why *program.UserError) (int64, error)
	// Describe returns what is saved of a unit.
	Describe(ctx context.Context, unit int64) (Record, error)
}

// Find finds the units on which the program fails, in their order, and passes each to found. Why is
// how the program failed when it got all units. If more than limit units are bad, or if that
// failure is not due to single units, Find returns it as an error that also says why nothing is
// skipped.
//
// A unit counts as bad if a fresh program fails on it alone. The units before the first bad one are
// found by halving: the program is deterministic (nothing helps one that is not), and the failure
// of a program that gets more and more units begins at the bad one. So each bad unit takes at most
// log2(n) + 3 tries, or 2 when the program's error names it.
func Find(
	ctx context.Context, units Units, limit int, why *program.UserError,
	found func(ctx context.Context, r Record, why *program.UserError) error,
) ([]int64, error) {
	if _, err := units.Try(ctx, 0, 0); err != nil {
		return nil, unlessFault(ctx, err, "it fails with no input, too")
	}
	var bad []int64
	for from := int64(0); ; {
		end, err := units.Try(ctx, from, math.MaxInt64)
		if err == nil {
			break
		}
		fault := Fault(ctx, err)
		if fault == nil {
			return nil, err
		}
		unit, fault, err := culprit(ctx, units, from, end, fault)
		if err != nil {
			return nil, err
		}
		if len(bad) == limit {
			return nil, tooMany(fault, limit)
		}
		record, err := units.Describe(ctx, unit)
		if err != nil {
			return nil, err
		}
		if err := found(ctx, record, fault); err != nil {
			return nil, err
		}
		bad, from = append(bad, unit), unit+1
	}
	if len(bad) == 0 {
		return nil, NotSkipped(why, "it did not fail again")
	}
	return bad, nil
}

// culprit finds the first bad unit of a range in which the program failed, and how the program
// fails on that unit alone.
func culprit(ctx context.Context, units Units, from, end int64, why *program.UserError) (int64, *program.UserError, error) {
	unit, err := units.Named(ctx, from, end, why)
	if err != nil {
		return 0, nil, err
	}
	if unit >= 0 {
		if fault, err := alone(ctx, units, unit); err != nil || fault != nil {
			return unit, fault, err
		}
	}
	// The program passes the units before low, and fails on those before end.
	low := from
	for end-low > 1 {
		middle := low + (end-low)/2
		reached, err := units.Try(ctx, low, middle)
		if err == nil {
			low = middle
			continue
		}
		if Fault(ctx, err) == nil {
			return 0, nil, err
		}
		end = min(middle, reached)
	}
	if end > low {
		if fault, err := alone(ctx, units, low); err != nil || fault != nil {
			return low, fault, err
		}
	}
	return 0, nil, NotSkipped(why, "it does not fail on any record alone")
}

// alone returns how the program fails on a single unit; nil if it doesn't.
func alone(ctx context.Context, units Units, unit int64) (*program.UserError, error) {
	_, err := units.Try(ctx, unit, unit+1)
	if fault := Fault(ctx, err); fault != nil {
		return fault, nil
	}
	return nil, err
}

// Fault returns the fault of the program that err reports. It returns nil if err reports none, and
// if the attempt is being stopped, which makes programs fail, too.
func Fault(ctx context.Context, err error) *program.UserError {
	var fault *program.UserError
	if ctx.Err() == nil && errors.As(err, &fault) {
		return fault
	}
	return nil
}

// unlessFault returns err. If the program is at fault, the error also says why nothing is skipped.
func unlessFault(ctx context.Context, err error, reason string) error {
	if fault := Fault(ctx, err); fault != nil {
		return NotSkipped(fault, reason)
	}
	return err
}

// NotSkipped returns a fault of the program that also says why no record is skipped for it.
func NotSkipped(why *program.UserError, reason string) error {
	return withNote(why, "no record was skipped for this: "+reason)
}

func tooMany(why *program.UserError, limit int) error {
	return withNote(why, fmt.Sprintf("more than %d bad records, the most that may be skipped", limit))
}

func withNote(why *program.UserError, note string) error {
	with := *why
	with.Message += " [" + note + "]"
	return &with
}
