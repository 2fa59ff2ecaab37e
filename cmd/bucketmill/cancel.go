package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/controller/api"
	"github.com/bucketmill/bucketmill/state"
)

func newCancelCommand() *cobra.Command {
	return jobCommand(&cobra.Command{
		Use:   "cancel JOB…",
		Short: "Stop jobs; what they wrote so far is removed",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("want the jobs to cancel")}
			}
			return nil
		},
	}, func(ctx context.Context, s *session, args []string) error {
		var failed []error
		for _, arg := range args {
			if err := s.explain(s.change(ctx, arg, s.Cancel)); err != nil {
				fmt.Fprintf(s.err, "bucketmill: %s: %v\n", arg, err)
				failed = append(failed, reportedError{err})
			}
		}
		return errors.Join(failed...)
	})
}

func newRetryCommand() *cobra.Command {
	return jobCommand(&cobra.Command{
		Use:   "retry JOB",
		Short: "Start a failed job again, keeping the map tasks that are done",
		Args:  exactArgs(1, "one job: an id, or last"),
	}, func(ctx context.Context, s *session, args []string) error {
		return s.change(ctx, args[0], s.Retry)
	})
}

// change asks for another state of a job and prints what became of it.
func (s *session) change(ctx context.Context, arg string, ask func(context.Context, state.JobID) (api.Job, error)) error {
	outliveReader(s.out)
	id, err := s.jobNamed(ctx, arg)
	if err != nil {
		return err
	}
	job, err := ask(ctx, id)
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(job)
	}
	_, err = fmt.Fprintf(s.out, "%s  %s\n", job.ID, job.State)
	return err
}
