package planner

import (
	"context"
	"iter"

	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
)

// Preview is what a job would be cut into if it were planned now.
type Preview struct {
	Inputs   int   // objects
	Bytes    int64 // of all inputs
	Maps     int
	Tasks    iter.Seq[input.Task] // the map tasks
	Reducers int                  // 0: map only
	Pages    int                  // of the plan
	Spread   int                  // folders of intermediates
}

// PreviewJob plans a job as a controller would whose executors have that many slots, but changes
// nothing: it only lists the inputs and cuts them.
func PreviewJob(ctx context.Context, open objstore.Opener, kinds job.Kinds, spec job.Spec, slots int) (Preview, error) {
	if err := spec.Validate(); err != nil {
		return Preview{}, err
	}
	if err := CheckOverlap(ctx, open, spec); err != nil {
		return Preview{}, err
	}
	tasks, plan, err := Cut(ctx, open, WorkArea{}, kinds, spec, func(context.Context) (int, error) { return slots, nil })
	return Preview{
		Inputs: plan.Inputs, Bytes: plan.Bytes, Maps: tasks.Count, Tasks: tasks.All, Reducers: Reducers(spec, plan.Bytes),
		Pages: (tasks.Count + PageSize - 1) / PageSize, Spread: plan.Spread,
	}, err
}
