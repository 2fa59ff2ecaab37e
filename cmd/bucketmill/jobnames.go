package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/job"
)

// newestJob can be used instead of a job's id and means the newest job; so does "-".
const newestJob = "last"

var errNoJobs = errors.New("there are no jobs")

// jobNamed returns the id of the job that an argument names.
func (s *session) jobNamed(ctx context.Context, arg string) (job.ID, error) {
	if arg != newestJob && arg != "-" {
		return job.ID(arg), nil
	}
	for job, err := range s.Jobs(ctx, client.Filter{}) {
		return job.ID, err
	}
	return "", errNoJobs
}

// The largest number of jobs that a shell is offered, and how long it waits for completions.
const (
	completedJobs  = 50
	completionWait = 2 * time.Second
)

// completeJobs offers the newest jobs to a shell, for the first argument.
func completeJobs(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c := connection{
		server: cmd.Flag("server").Value.String(), token: cmd.Flag("token").Value.String(), ca: cmd.Flag("ca").Value.String(),
	}
	s, err := c.open(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionWait)
	defer cancel()
	found := []cobra.Completion{cobra.CompletionWithDesc(newestJob, "the newest job")}
	for job, err := range atMost(completedJobs, s.Jobs(ctx, client.Filter{})) {
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		found = append(found, cobra.CompletionWithDesc(string(job.ID), job.Name+", "+string(job.State)))
	}
	return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}
