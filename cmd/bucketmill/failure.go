package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// failure prints why a job failed: the reason, the task, and what the program printed.
func (u *ui) failure(j state.Job, spec job.Spec, failures []job.Failure) {
	why := j.Error
	if why == nil {
		why = &job.Failure{Message: "no reason is recorded"}
	}
	tries := 0
	for _, f := range failures {
		if task, _, _ := strings.Cut(f.Attempt, "."); strings.HasPrefix(why.Attempt, task+".") {
			tries++
		}
	}
	fmt.Fprintf(u.err, "bucketmill: job failed: %s\n", why.Message)
	givenUp(u.err, why.Attempt, tries)
	programOutput(u.err, why.Detail, why.Log)
	outputAfterFailure(u.err, spec.Output, spec.Overwrite && !j.PublishedFrom.IsZero())
}

// givenUp names the task that failed, if the job did not fail as a whole.
func givenUp(w io.Writer, attempt string, tries int) {
	if attempt != "" {
		fmt.Fprintf(w, "  task:     %s, given up after %s\n", taskName(attempt), plural(tries, "failed attempt"))
	}
}

// programOutput prints a program's traceback and the end of its log.
func programOutput(w io.Writer, traceback, log string) {
	section(w, "traceback", traceback)
	section(w, "last lines of the program's log", log)
}

// outputAfterFailure prints what a failed job left at its output. replacing says that the job had
// begun to replace an older output.
func outputAfterFailure(w io.Writer, output string, replacing bool) {
	if replacing {
		fmt.Fprintf(w, "Nothing of the job is at %s. It failed while it replaced the older output, and some of that may be gone.\n", place(output))
		return
	}
	fmt.Fprintf(w, "Nothing was written to %s.\n", place(output))
}

// abandoned prints what the clean-up of a job may have left behind.
func (u *ui) abandoned(_ job.ID, what string, why error) {
	// There is nowhere to report that standard error failed.
	_, _ = fmt.Fprintf(u.log(), "  The job's %s could not be found and removed, so some may be left: %v\n", what, why)
}

func taskName(attempt string) string {
	task, _, _ := strings.Cut(attempt, ".")
	if strings.HasPrefix(task, "m") {
		return "map " + task[1:]
	}
	return "reduce " + strings.TrimPrefix(task, "r")
}

func section(w io.Writer, title, text string) {
	if text = strings.TrimRight(text, "\n"); text != "" {
		fmt.Fprintf(w, "  %s:\n    %s\n", title, strings.ReplaceAll(text, "\n", "\n    "))
	}
}
