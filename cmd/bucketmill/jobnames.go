package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/job"
)

// newestJob names the newest job wherever an id may stand; "-" does too.
const newestJob = "last"

var errNoJobs = errors.New("there are no jobs")

// jobNamed finds out which job an argument means.
func (s *session) jobNamed(ctx context.Context, arg string) (job.ID, error) {
	if arg != newestJob && arg != "-" {
		return job.ID(arg), nil
	}
	for job, err := range s.Jobs(ctx, client.Filter{}) {
		return job.ID, err
	}
	return "", errNoJobs
}

// How many jobs a shell is offered, and how long it waits for them.
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
