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
		Long: `Logs shows what a job's program wrote to standard error in one attempt (m12.1), in all attempts at a task (m12),
or in all attempts, each below a line with its name. For a running attempt it shows the log so far, which arrives
within a heartbeat of its executor (5 s); with --follow it continues until the attempt has ended. If the program
failed, the log ends with the way in which it failed. With --json every line is a JSON object with attempt and text.`,
		Example: `  bucketmill logs last --follow
  bucketmill logs JOB m12.1`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return usageError{fmt.Errorf("logs takes a job, and optionally a task or attempt; it got %s", plural(len(args), "argument"))}
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
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "show new lines until the job, or the named task or attempt, has ended")
	return cmd
}

var errNoLogs = errors.New("there are no logs: the program has written nothing to standard error (to which Python's print goes, too)")

// printLogs prints the logs of a task, or of all tasks.
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

// everyTask yields the tasks of a job. The server no longer lists the tasks of an ended job, but
// their logs still exist, so everyTask then yields their names.
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

// sideOf returns the side of a task, or "" for all tasks.
func sideOf(task string) (string, error) {
	if task == "" {
		return "", nil
	}
	a, err := job.ParseAttempt("", task+".1")
	if err != nil {
		return "", usageError{fmt.Errorf("%q is not a task such as m12, nor an attempt such as m12.1", task)}
	}
	return a.Task.Side.String(), nil
}

// printTaskLogs prints the logs of a task's attempts, and returns their number. The attempts of an
// ended job are not all known, but their numbers have no gaps.
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
