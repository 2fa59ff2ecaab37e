package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
)

// reason returns why a job failed or was cancelled.
func reason(j api.Job) api.Failure {
	if j.Error == nil {
		return api.Failure{Message: "no reason is recorded", Class: job.ClassJob}
	}
	return *j.Error
}

// analyse prints all that is known about a failure, after its reason: the task, its attempts and
// where they ran, the record, what the program printed, and what to do.
func (s *session) analyse(ctx context.Context, w io.Writer, job api.Job) error {
	why := reason(job)
	task, err := s.failedTask(ctx, job.ID, why.Attempt)
	var failed []api.Attempt
	for _, a := range task.Attempts {
		if a.Error != nil {
			failed = append(failed, a)
		}
	}
	givenUp(w, why.Attempt, max(len(failed), 1))
	if err != nil {
		fmt.Fprintf(w, "  attempts: unknown: %v\n", s.explain(err))
	}
	if len(failed) > 0 {
		fmt.Fprintln(w, "  attempts:")
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, a := range failed {
			message := "as above"
			if a.Error.Message != why.Message {
				message = visible(oneLine(a.Error.Message))
			}
			fmt.Fprintf(t, "    %s.%d\t%s\t%s\t%s\t%s\n", task.ID, a.Number, visible(orDash(string(a.Executor))), clock(a.Ended), a.Error.Class, message)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	section(w, "record", why.Record)
	programOutput(w, why.Detail, why.Log)
	section(w, "what to do", remedy(job, why))
	spec, err := jobfile.Parse(job.Spec)
	outputAfterFailure(w, job.Output, err == nil && spec.Overwrite && job.Times.Published != nil)
	return nil
}

// failedTask returns the task of an attempt, or the zero value for a job that failed as a whole.
func (s *session) failedTask(ctx context.Context, id job.ID, attempt string) (api.Task, error) {
	a, err := job.ParseAttempt(id, attempt)
	if err != nil {
		return api.Task{}, nil //nolint:nilerr // the failure is not that of an attempt
	}
	for task, err := range s.Tasks(ctx, id, a.Task.Side.String()) {
		if err != nil || task.ID == a.Task.String() {
			return task, err
		}
	}
	return api.Task{}, nil
}

// remedy says what to do about a failed job.
func remedy(j api.Job, why api.Failure) string {
	retry := ""
	if j.Phase == job.PhaseKept {
		retry = fmt.Sprintf("\"bucketmill retry %s\" continues where it stopped, with %d of %s done.",
			j.ID, j.Progress.Map.Done, plural(j.Progress.Map.Total, "map task"))
	}
	first := ""
	switch why.Class {
	case job.ClassUser:
		first = "The program or its input is at fault, so a retry would fail again: correct it and submit the job again."
		if why.Attempt != "" {
			first += fmt.Sprintf("\n\"bucketmill logs %s %s\" shows everything that the program printed, and how it failed.", j.ID, why.Attempt)
		}
		return first
	case job.ClassInfra:
		first = "The store, the network or an executor's disk failed, not the program: check them, and the executors' logs."
	case job.ClassLost:
		first = "Executors vanished while they ran this task. Were they killed for using too much memory? Give them more, or the job a smaller --split-size."
	case job.ClassSegment:
		first = "A map task's segment file was missing or changed on the work store: make sure that nothing else (a lifecycle rule?) changes the work store."
	default:
		return joinLines("Correct what the reason names, and submit the job again.", retry)
	}
	return joinLines(first, cmp.Or(retry, "Then submit the job again."))
}

func joinLines(first, second string) string {
	if second == "" {
		return first
	}
	return first + "\n" + second
}
