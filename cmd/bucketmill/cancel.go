package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
)

func newCancelCommand() *cobra.Command {
	return jobCommand(&cobra.Command{
		Use:   "cancel JOB…",
		Short: "Stop jobs and remove what they wrote",
		Args:  someJobs("cancel"),
	}, func(ctx context.Context, s *session, args []string) error {
		return s.forEach(args, func(arg string) error { return s.change(ctx, arg, s.Cancel) })
	})
}

func newDeleteCommand() *cobra.Command {
	return jobCommand(&cobra.Command{
		Use:   "delete JOB…",
		Short: "Forget jobs that have ended; their outputs stay",
		Long: `Delete removes what the server stores about jobs that have ended: their records, counters and logs, never their
outputs. A failed job can't be retried afterwards. It needs a token with the role admin, or the token that submitted
the job.`,
		Args: someJobs("delete"),
	}, func(ctx context.Context, s *session, args []string) error {
		return s.forEach(args, func(arg string) error {
			id, err := s.jobNamed(ctx, arg)
			if err != nil {
				return err
			}
			return s.DeleteJob(ctx, id)
		})
	})
}

// someJobs requires at least one argument.
func someJobs(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError{errors.New("name the jobs to " + what)}
		}
		return nil
	}
}

// forEach calls do for each argument, and continues after an error.
func (s *session) forEach(args []string, do func(arg string) error) error {
	var failed []error
	for _, arg := range args {
		if err := s.explain(do(arg)); err != nil {
			which := ""
			if len(args) > 1 {
				which = arg + ": "
			}
			fmt.Fprintf(s.err, "bucketmill: %s%v\n", which, err)
			failed = append(failed, reportedError{err})
		}
	}
	return errors.Join(failed...)
}

func newRetryCommand() *cobra.Command {
	return jobCommand(&cobra.Command{
		Use:   "retry JOB",
		Short: "Start a failed job again, and keep the map tasks that are done",
		Args:  exactArgs(1, "one job: an id, or last"),
	}, func(ctx context.Context, s *session, args []string) error {
		return s.change(ctx, args[0], s.Retry)
	})
}

// change requests another state of a job and prints the result.
func (s *session) change(ctx context.Context, arg string, request func(context.Context, job.ID) (api.Job, error)) error {
	outliveReader(s.out)
	id, err := s.jobNamed(ctx, arg)
	if err != nil {
		return err
	}
	job, err := request(ctx, id)
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(job)
	}
	_, err = fmt.Fprintf(s.out, "%s  %s\n", job.ID, job.State)
	return err
}
