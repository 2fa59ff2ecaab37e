package executor

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/bucketmill/bucketmill/executor/program"
)

// findBad finds the units of a work on which the program fails, in their order, and calls found
// for each. Why is how the program failed when it was given all. It returns an error, which says
// why, when there are more than limit of them, and when that failure is not that of single units.
//
// A unit counts as bad when the program fails on it alone, having started anew. What is
// before the first bad one is found by halving: the program is deterministic, or it can't be
// helped, and the failure of a program that is given more and more begins at the bad unit. So each takes
// at most log2(n) + 3 tries, and 2 when the program's error names it.
func findBad(ctx context.Context, w task, limit int, why *program.UserError, found func(unit int64, why *program.UserError) error) ([]int64, error) {
	if _, err := w.try(ctx, 0, 0); err != nil {
		return nil, unlessFault(ctx, err, "it fails with no input, too")
	}
	var bad []int64
	for from := int64(0); ; {
		end, err := w.try(ctx, from, math.MaxInt64)
		if err == nil {
			break
		}
		user := programFault(ctx, err)
		if user == nil {
			return nil, err
		}
		unit, user, err := culprit(ctx, w, from, end, user)
		if err != nil {
			return nil, err
		}
		if len(bad) == limit {
			return nil, tooMany(user, limit)
		}
		if err := found(unit, user); err != nil {
			return nil, err
		}
		bad, from = append(bad, unit), unit+1
	}
	if len(bad) == 0 {
		return nil, notSkipped(why, "it did not fail again")
	}
	return bad, nil
}

// culprit finds the first bad unit of those from one on and before another, at which the
// program was seen to fail, and how it fails on that alone.
func culprit(ctx context.Context, w task, from, end int64, why *program.UserError) (int64, *program.UserError, error) {
	unit, err := w.named(ctx, from, end, why)
	if err != nil {
		return 0, nil, err
	}
	if unit >= 0 {
		if user, err := alone(ctx, w, unit); err != nil || user != nil {
			return unit, user, err
		}
	}
	// Before low all is well; what is before end makes it fail.
	low := from
	for end-low > 1 {
		middle := low + (end-low)/2
		reached, err := w.try(ctx, low, middle)
		if err == nil {
			low = middle
			continue
		}
		if programFault(ctx, err) == nil {
			return 0, nil, err
		}
		end = min(middle, reached)
	}
	if end > low {
		if user, err := alone(ctx, w, low); err != nil || user != nil {
			return low, user, err
		}
	}
	return 0, nil, notSkipped(why, "it does not fail on any record alone")
}

// alone returns how the program fails on a single unit, or nil if it doesn't.
func alone(ctx context.Context, w task, unit int64) (*program.UserError, error) {
	_, err := w.try(ctx, unit, unit+1)
	if user := programFault(ctx, err); user != nil {
		return user, nil
	}
	return nil, err
}

// unlessFault is err, or, if the program is to blame, that with why nothing is skipped.
func unlessFault(ctx context.Context, err error, reason string) error {
	if user := programFault(ctx, err); user != nil {
		return notSkipped(user, reason)
	}
	return err
}

// notSkipped adds to a fault of the program why no record is set aside for it.
func notSkipped(why *program.UserError, reason string) error {
	return withWord(why, "no record was skipped for this: "+reason)
}

func tooMany(why *program.UserError, limit int) error {
	return withWord(why, fmt.Sprintf("more than %d bad records, which is all that may be skipped: this is one too many", limit))
}

func withWord(why *program.UserError, word string) error {
	with := *why
	with.Message += " [" + word + "]"
	return &with
}

// programFault returns the fault of the program that an error is, or nil when it is none, or the
// attempt is being stopped.
func programFault(ctx context.Context, err error) *program.UserError {
	var user *program.UserError
	if ctx.Err() == nil && errors.As(err, &user) {
		return user
	}
	return nil
}
