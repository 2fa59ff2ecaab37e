package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/job"
)

func newListCommand() *cobra.Command {
	var (
		states []string
		name   string
		limit  int
	)
	cmd := clientCommand(&cobra.Command{
		Use:     "list",
		Aliases: []string{"jobs"},
		Short:   "List jobs, the newest first",
		Args:    exactArgs(0, "no arguments"),
	}, func(ctx context.Context, s *session, _ []string) error {
		filter := client.Filter{Name: name}
		for _, st := range states {
			filter.States = append(filter.States, job.State(strings.ToUpper(st)))
		}
		jobs := atMost(limit, s.Jobs(ctx, filter))
		if s.json {
			return printList(s.out, "jobs", jobs)
		}
		return printTable(s.out, jobHead, jobs, jobCells)
	})
	fs := cmd.Flags()
	fs.StringSliceVar(&states, "state", nil, "submitted, mapping, reducing, completed, failed or cancelled; several with commas")
	fs.StringVar(&name, "name", "", "part of the name, or a glob")
	fs.IntVar(&limit, "limit", 20, "most jobs to list; 0: all")
	complete(cmd, "state", "submitted", "mapping", "reducing", "completed", "failed", "cancelled")
	return cmd
}

// jobHead names the cells of jobCells.
const jobHead = "ID NAME STATE MAP REDUCE SUBMITTED TOOK"

func jobCells(job api.Job) []string {
	return []string{
		string(job.ID), job.Name, string(job.State), fraction(job.Progress.Map), fraction(job.Progress.Reduce),
		ago(job.Times.Submitted), between(job.Times.Submitted, job.Times.Ended),
	}
}

func fraction(p job.Progress) string {
	if p.Total == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", p.Done, p.Total)
}
