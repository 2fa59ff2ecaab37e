package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
)

func newTasksCommand() *cobra.Command {
	var wanted string
	cmd := jobCommand(&cobra.Command{
		Use:   "tasks JOB",
		Short: "List a job's tasks and where they were attempted",
		Long: `Tasks lists a job's tasks, one line for each, with the newest known attempt. For a job that has ended and was
cleaned up, it lists only the tasks of the newest 200 failed attempts, and below them the numbers of tasks and
attempts.`,
		Args: exactArgs(1, "one job: an id, or last"),
	}, func(ctx context.Context, s *session, args []string) error {
		id, err := s.jobNamed(ctx, args[0])
		if err != nil {
			return err
		}
		tasks := s.Tasks(ctx, id, wanted)
		if s.json {
			return printListAnd(s.out, "tasks", tasks, func() (any, error) {
				j, err := s.Job(ctx, id)
				return struct {
					Forgotten bool         `json:"forgotten"`
					Progress  api.Progress `json:"progress"`
				}{j.Phase == job.PhaseEnded, j.Progress}, err
			})
		}
		err = printTable(s.out, "TASK STATE ATTEMPTS EXECUTOR PROGRESS TOOK ERROR", tasks, taskCells)
		if err != nil {
			return err
		}
		j, err := s.Job(ctx, id)
		if err != nil || j.Phase != job.PhaseEnded {
			return err
		}
		return s.printForgotten(j, wanted)
	})
	cmd.Flags().StringVar(&wanted, "side", "", "map or reduce (default: both)")
	complete(cmd, "side", "map", "reduce")
	return cmd
}

// printForgotten prints what is known about the tasks of an ended job.
func (s *session) printForgotten(j api.Job, wanted string) error {
	fmt.Fprintln(s.out, "The job has ended: only tasks with failed attempts are listed, and only the newest of these.")
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, of := range []struct {
		name     string
		progress job.Progress
	}{{"map", j.Progress.Map}, {"reduce", j.Progress.Reduce}} {
		if wanted == "" || wanted == of.name {
			fmt.Fprintf(w, "%s\t%s\n", of.name, side(of.progress))
		}
	}
	return w.Flush()
}

func taskCells(t api.Task) []string {
	cells := []string{t.ID, t.State, fmt.Sprint(len(t.Attempts)), "-", "-", "-", "-"}
	if len(t.Attempts) == 0 {
		return cells
	}
	a := t.Attempts[len(t.Attempts)-1]
	cells[3] = orDash(string(a.Executor))
	cells[4] = fmt.Sprintf("%.0f%%", 100*a.Progress)
	cells[5] = between(a.Started, a.Ended)
	if a.Error != nil {
		cells[6] = oneLine(a.Error.Message)
	}
	return cells
}

// oneLine puts a text on one line, for a table.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
