package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/controller/api"
)

func newTasksCommand() *cobra.Command {
	var side string
	cmd := jobCommand(&cobra.Command{
		Use:   "tasks JOB",
		Short: "List a job's tasks and where they were attempted",
		Long: `Tasks lists a job's tasks, one line for each, with the newest attempt that is known. Of a job that has
ended only failed attempts are remembered.`,
		Args: exactArgs(1, "one job: an id, or last"),
	}, func(ctx context.Context, s *session, args []string) error {
		id, err := s.jobNamed(ctx, args[0])
		if err != nil {
			return err
		}
		tasks := s.Tasks(ctx, id, side)
		if s.json {
			return printList(s.out, "tasks", tasks)
		}
		return printTable(s.out, "TASK STATE ATTEMPTS EXECUTOR PROGRESS TOOK ERROR", tasks, taskCells)
	})
	cmd.Flags().StringVar(&side, "side", "", "map or reduce (default: both)")
	return cmd
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

// oneLine keeps a text from breaking a table.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
