package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/job"
)

func newStatusCommand() *cobra.Command {
	var watch bool
	cmd := jobCommand(&cobra.Command{
		Use:   "status [JOB]",
		Short: "Show the progress of a job, or how it ended",
		Long: `Status shows a job's state, progress and counters and, if it failed, why and what to do. JOB is an id, the
beginning of an id, or "last" for the newest job. Without JOB it lists the jobs that have not ended. It
exits with 0 whatever the state of the job.

With --watch it shows the progress of the job until it has ended, and ends like "submit --wait", with
the same exit codes.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || watch && len(args) == 0 {
				return usageError{fmt.Errorf("status takes one job: an id, or last; it got %s", plural(len(args), "argument"))}
			}
			return nil
		},
	}, func(ctx context.Context, s *session, args []string) error {
		if len(args) == 0 {
			jobs := s.Jobs(ctx, client.Filter{States: []job.State{job.Submitted, job.Mapping, job.Reducing}})
			if s.json {
				return printList(s.out, "jobs", jobs)
			}
			return printTable(s.out, jobHead, jobs, jobCells)
		}
		id, err := s.jobNamed(ctx, args[0])
		if err != nil {
			return err
		}
		job, err := s.Job(ctx, id)
		if err != nil {
			return err
		}
		if watch {
			return s.attend(ctx, job.ID, attendOptions{})
		}
		if s.json {
			return s.printJSON(job)
		}
		return s.printJob(ctx, job)
	})
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show the progress until the job has ended")
	return cmd
}

// printJob prints everything about a job.
func (s *session) printJob(ctx context.Context, j api.Job) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", visible(name), visible(fmt.Sprintf(format, args...)))
	}
	row("job", "%s  %s", j.ID, j.Name)
	row("state", "%s", stateOf(j))
	row("program", "%s", j.Program)
	row("submitted", "%s%s", ago(j.Times.Submitted), by(j))
	row("took", "%s", between(j.Times.Submitted, j.Times.Ended))
	if j.Inputs > 0 {
		row("input", "%s in %s", size(j.InputBytes), plural(j.Inputs, "object"))
	}
	unreadOf(j).rows(row)
	row("map", "%s", side(j.Progress.Map))
	row("reduce", "%s", side(j.Progress.Reduce))
	row("output", "%s", place(j.Output))
	if err := w.Flush(); err != nil {
		return err
	}
	if err := printCounters(s.out, j.Counters); err != nil {
		return err
	}
	switch j.State {
	case job.Failed:
		fmt.Fprintf(s.out, "\nThe job failed: %s\n", reason(j).Message)
		return s.analyse(ctx, s.out, j)
	case job.Cancelled:
		fmt.Fprintf(s.out, "\nThe job was ended: %s\n", reason(j).Message)
	}
	return nil
}

// by returns who submitted a job, if callers have names.
func by(job api.Job) string {
	if job.SubmittedBy == "" || job.SubmittedBy == "anonymous" {
		return ""
	}
	return " by " + job.SubmittedBy
}

// stateOf returns a job's state, and its phase if that says more.
func stateOf(j api.Job) string {
	switch j.Phase {
	case job.PhasePublish, job.PhaseCleanup:
		return fmt.Sprintf("%s (%s)", j.State, j.Phase)
	case job.PhaseKept:
		return string(j.State) + " (may be retried)"
	}
	return string(j.State)
}

// side formats the progress of the tasks of one side.
func side(p job.Progress) string {
	if p.Total == 0 {
		return "-"
	}
	text := fmt.Sprintf("%d/%d tasks (%d%%)", p.Done, p.Total, 100*p.Done/p.Total)
	if p.Running > 0 {
		text += fmt.Sprintf(", %d running", p.Running)
	}
	return text + ", " + tries(p)
}

// tries formats the numbers of attempts.
func tries(p job.Progress) string {
	text := plural(p.Attempts, "attempt")
	var of []string
	if p.Failed > 0 {
		of = append(of, humanize.Comma(int64(p.Failed))+" failed")
	}
	if p.Lost > 0 {
		of = append(of, humanize.Comma(int64(p.Lost))+" of these with their executors")
	}
	if p.Backups > 0 {
		of = append(of, plural(p.Backups, "backup"))
	}
	if len(of) > 0 {
		text += " (" + strings.Join(of, ", ") + ")"
	}
	return text
}

// printCounters prints counters by name. Counters of the program have the program's names.
func printCounters(out io.Writer, counters map[string]int64) error {
	if len(counters) == 0 {
		return nil
	}
	fmt.Fprintln(out, "\ncounters")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		fmt.Fprintf(w, "  %s\t%s\t\n", visible(strings.TrimPrefix(name, "user:")), humanize.Comma(counters[name]))
	}
	return w.Flush()
}
