package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
)

func newLogsCommand() *cobra.Command {
	follow := false
	cmd := jobCommand(&cobra.Command{
		Use:   "logs JOB [TASK[.ATTEMPT]]",
		Short: "Show what a job's program wrote to standard error",
		Long: `Logs shows what a job's program wrote to standard error: of one attempt (m12.1), of a task (m12), or of
all of them, each below a line with its name. Of an attempt that runs it shows what there is so far; that comes
within a heartbeat of its executor (5 s). With --follow it goes on until that has ended. An attempt whose program
failed ends with how. With --json every line is a JSON object with attempt and text.`,
		Example: `  bucketmill logs last --follow
  bucketmill logs JOB m12.1`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return usageError{fmt.Errorf("want a job, and possibly a task or attempt, got %d arguments", len(args))}
			}
			return nil
		},
	}, func(ctx context.Context, s *session, args []string) error {
		id, err := s.jobNamed(ctx, args[0])
		if err != nil {
			return err
		}
		which := ""
		if len(args) > 1 {
			which = args[1]
		}
		l, err := s.logReader(ctx, id)
		switch {
		case err != nil:
			return err
		case follow:
			return l.follow(ctx, which)
		case strings.Contains(which, "."):
			return l.printLog(ctx, which, false)
		}
		return l.printLogs(ctx, which)
	})
	cmd.ValidArgsFunction = completeTasks
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is written, until the job, or the task or attempt that is named, has ended")
	return cmd
}

var errNoLogs = errors.New("there are no logs: the program has written nothing to standard error (where Python's print goes, too)")

// printLogs shows the logs of a task, or of all.
func (l *logReader) printLogs(ctx context.Context, which string) error {
	side, err := sideOf(which)
	if err != nil {
		return err
	}
	tasks, logs := 0, 0
	for task, err := range l.everyTask(ctx, l.id, side) {
		if err != nil {
			return err
		}
		if which != "" && task.ID != which {
			continue
		}
		n, err := l.printTaskLogs(ctx, task)
		if err != nil {
			return err
		}
		logs += n
		if tasks++; which != "" {
			break
		}
	}
	switch {
	case which != "" && tasks == 0:
		return fmt.Errorf("job %s has no task %s: \"bucketmill tasks %[1]s\" lists them", l.id, which)
	case logs == 0:
		return errNoLogs
	}
	return nil
}

// everyTask yields the tasks of a job. Those of one that has ended are no longer listed, but their logs are
// there, so their names are yielded.
func (s *session) everyTask(ctx context.Context, id job.ID, wanted string) iter.Seq2[api.Task, error] {
	return func(yield func(api.Task, error) bool) {
		listed := map[string]bool{}
		for task, err := range s.Tasks(ctx, id, wanted) {
			listed[task.ID] = true
			if !yield(task, err) || err != nil {
				return
			}
		}
		j, err := s.Job(ctx, id)
		if err != nil {
			yield(api.Task{}, err)
			return
		}
		for _, of := range []struct {
			side  job.Side
			total int
		}{{job.Map, j.Progress.Map.Total}, {job.Reduce, j.Progress.Reduce.Total}} {
			for i := range of.total {
				task := job.TaskID{Side: of.side, Index: i}.String()
				unlisted := (wanted == "" || wanted == of.side.String()) && !listed[task]
				if unlisted && !yield(api.Task{ID: task, Side: of.side.String(), Index: i}, nil) {
					return
				}
			}
		}
	}
}

// sideOf reads the side off a task's name; empty for all tasks.
func sideOf(task string) (string, error) {
	if task == "" {
		return "", nil
	}
	a, err := job.ParseAttempt("", task+".1")
	if err != nil {
		return "", usageError{fmt.Errorf("%q is not a task like m12, nor an attempt like m12.1", task)}
	}
	return a.Task.Side.String(), nil
}

// printTaskLogs shows the logs of a task's attempts, and tells how many there were. Of an
// ended job not all attempts are known, but each comes after the one before.
func (l *logReader) printTaskLogs(ctx context.Context, task api.Task) (logs int, err error) {
	known := 1
	if n := len(task.Attempts); n > 0 {
		known = task.Attempts[n-1].Number
	}
	for number := 1; ; number++ {
		err := l.printLog(ctx, fmt.Sprintf("%s.%d", task.ID, number), true)
		missing := noLog(err)
		switch {
		case missing && number > known:
			return logs, nil
		case err == nil:
			logs++
		case !missing:
			return logs, err
		}
	}
}

// logLine is a line of a log, or a piece of a very long one.
type logLine struct {
	Attempt string `json:"attempt"`
	Text    string `json:"text"`
}

// logLines writes a log's lines as JSON.
func logLines(w io.Writer, attempt string, r io.Reader) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for {
		line, _, err := lines.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := out.Encode(logLine{Attempt: attempt, Text: string(line)}); err != nil {
			return err
		}
	}
}
