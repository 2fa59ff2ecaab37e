package main

import (
	"context"
	"encoding/json"
	"io"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/state"
)

// printEnd prints a job that has ended in this process as JSON, like the API.
func (c *cluster) printEnd(ctx context.Context, w io.Writer, job state.Job, spec job.Spec) error {
	counters, err := c.store.Counters(ctx, job.ID)
	if err != nil {
		return err
	}
	end := api.Job{
		ID: job.ID, Name: job.Name, Program: spec.Program, State: job.State, Phase: job.Phase, Priority: job.Priority,
		Progress: api.Progress{Map: job.Map, Reduce: job.Reduce}, Output: spec.Output, Counters: map[string]int64{},
		Times: api.Times{Submitted: &api.Time{Time: job.Submitted}, Ended: &api.Time{Time: job.Ended}},
	}
	for name, n := range counters {
		end.Counters[name] = n
	}
	if plan, err := layout.ParsePlan(job.Plan); err == nil { // a job that failed early has no plan
		end.Inputs, end.InputBytes = plan.Inputs, plan.Bytes
		end.PassedOver, end.OldOutputs, end.EmptyInputs, end.EmptyInput = plan.PassedOver, plan.Outputs, plan.Empty, plan.EmptyInput
	}
	if job.Error != nil {
		end.Error = api.FailureOf(job.Error)
	}
	return json.NewEncoder(w).Encode(end)
}
