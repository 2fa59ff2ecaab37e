// Package mapredtest runs MapReduce jobs in the process of a test, without an executor.
//
//	func TestWords(t *testing.T) {
//		got := mapredtest.Run(t, job, mapredtest.Lines("a.txt", "to be or not", "to be"))
//		if want := []string{"be\t2", "not\t1", "or\t1", "to\t2"}; !slices.Equal(got.Output, want) {
//			t.Errorf("got %q, want %q", got.Output, want)
//		}
//	}
//
// A job must give the same output however its records are spread over tasks, in whatever order
// values come, and however often its combiner is called. Run tries several ways, and fails if they
// differ.
package mapredtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bucketmill/bucketmill/mapred"
)

// A Result is what a job made of its input.
type Result struct {
	// Output has the lines of the output, those of all parts one after the other: key, tab, value.
	// Within a part they are in the order of their keys.
	Output []string
	// Parts has the lines of each part: of each reduce task, or of each map task in a job without
	// reducers.
	Parts [][]string
	// Counters are the job's.
	Counters map[string]int64
	// Log has the lines of mapred.Status, without their ends.
	Log []string
}

// Run runs the job that newJob returns. It fails the test if the job fails, or if the output
// depends on more than the input. newJob is called for every task, since an executor starts a
// process for each.
func Run(t testing.TB, newJob func() mapred.Job, options ...Option) *Result {
	t.Helper()
	result, err := try(t.Context(), newJob, options...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// Try is Run without a test. The error is the job's, or an [UnstableError].
func Try(newJob func() mapred.Job, options ...Option) (*Result, error) {
	return try(context.Background(), newJob, options...)
}

func try(ctx context.Context, newJob func() mapred.Job, options ...Option) (*Result, error) {
	c := config{reducers: 1, tasks: 1}
	for _, option := range options {
		if err := option(&c); err != nil {
			return nil, err
		}
	}
	job := newJob()
	if c.reducers > 0 && job.Reducer == nil && job.Columns == nil {
		return nil, errors.New("the job has no reducer; run it with Reducers(0)")
	}
	if err := c.check(ctx, newJob); err != nil {
		return nil, err
	}
	result, err := c.run(ctx, newJob, variant{})
	if err != nil || c.unstable || c.reducers == 0 {
		return result, err
	}
	for _, v := range variants(&job) {
		other, err := c.run(ctx, newJob, v)
		if err != nil {
			return result, fmt.Errorf("with %s: %w", v.name, err)
		}
		for part := range result.Parts {
			if !slices.Equal(result.Parts[part], other.Parts[part]) {
				return result, unstable(v.name, result.Parts[part], other.Parts[part])
			}
		}
	}
	return result, nil
}

// An UnstableError says that a job's output depends on more than its input.
type UnstableError struct {
	// With says what was done differently in the run that made the other output.
	With string
	// Want is the first line that differs, Have that of the other run; "" if there is none.
	Want, Have string
}

// Error returns what differs.
func (e *UnstableError) Error() string {
	return fmt.Sprintf("the output depends on more than the input: %q became %q with %s", e.Want, e.Have, e.With)
}

func unstable(with string, want, have []string) error {
	e := &UnstableError{With: with}
	for i := range max(len(want), len(have)) {
		e.Want, e.Have = at(want, i), at(have, i)
		if e.Want != e.Have {
			break
		}
	}
	return e
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// variant is a way to run a job that must not change its output.
type variant struct {
	name string
	// order shuffles the map tasks' records, if not nil, before they are sorted by key.
	order *rand.Rand
	// combine is how many times the combiner gets values, each time of a few records; 0 leaves it
	// to the program, below 0 does without.
	combine int
}

func variants(job *mapred.Job) []variant {
	all := []variant{{name: "values in another order", order: rand.New(rand.NewPCG(1, 2))}}
	if job.Combiner != nil {
		all = append(all,
			variant{name: "no combiner", combine: -1},
			variant{name: "a combiner that is called once", combine: 1, order: rand.New(rand.NewPCG(3, 4))},
			variant{name: "a combiner that is called with its own output", combine: 3, order: rand.New(rand.NewPCG(5, 6))})
	}
	return all
}
