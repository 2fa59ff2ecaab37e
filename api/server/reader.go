package server

import (
	"context"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// Jobs is where a server reads jobs. A *state.Store is one, of the jobs that Redis knows; another
// may have a longer history. All methods may be called concurrently. Those that name a job fail
// with state.ErrNoJob, or return nothing, if there is no such job.
type Jobs interface {
	// Job returns a job's record.
	Job(ctx context.Context, id job.ID) (state.Job, error)
	// Known reports whether there is such a job.
	Known(ctx context.Context, id job.ID) (bool, error)
	// Prefixed returns up to most ids that begin with prefix.
	Prefixed(ctx context.Context, prefix job.ID, most int) ([]job.ID, error)
	// History returns up to count ids, the newest job first, after the offset newest ones. None
	// means that the history has no more.
	History(ctx context.Context, offset, count int) ([]job.ID, error)
	// Summaries returns records of jobs, in the order of ids and without those that are gone. They
	// need not have a spec.
	Summaries(ctx context.Context, ids []job.ID) ([]state.Job, error)
	// Counters returns a job's counters.
	Counters(ctx context.Context, id job.ID) (map[string]int64, error)
	// Events returns a job's events after the one with the id after ("": all), and waits up to wait
	// for one (0: not at all).
	Events(ctx context.Context, id job.ID, after string, wait time.Duration) ([]state.Event, error)
	// Tasks returns up to count tasks of a side, by index, from first on, of a job that has not
	// ended.
	Tasks(ctx context.Context, j state.Job, side job.Side, first, count int) ([]state.Task, error)
	// FailedTasks returns the tasks of a job that have failed attempts, which is all that is kept
	// of an ended job.
	FailedTasks(ctx context.Context, j state.Job) ([]state.Task, error)
}
