package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// failure prints why a job failed: what, where, and the program's own words.
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
	lastWords(u.err, why.Detail, why.Log)
	whatIsThere(u.err, spec.Output, spec.Overwrite && !j.PublishedFrom.IsZero())
}

// givenUp says which task it was, if it was one.
func givenUp(w io.Writer, attempt string, tries int) {
	if attempt != "" {
		fmt.Fprintf(w, "  task:     %s, given up after %s\n", taskName(attempt), plural(tries, "failed attempt"))
	}
}

// lastWords shows what the program itself had to say.
func lastWords(w io.Writer, traceback, log string) {
	section(w, "traceback", traceback)
	section(w, "last lines of the program's log", log)
}

// whatIsThere says what is at the output of a job that failed. It was replacing an older output if it came to be
// published.
func whatIsThere(w io.Writer, output string, replacing bool) {
	if replacing {
		fmt.Fprintf(w, "Nothing of the job's is at %s; it failed while it replaced what was there, some of which may be gone.\n", place(output))
		return
	}
	fmt.Fprintf(w, "Nothing was written to %s.\n", place(output))
}

// abandoned tells of what a job may leave behind against its will.
func (u *ui) abandoned(_ job.ID, what string, why error) {
	_, _ = fmt.Fprintf(u.log(), "  The job's %s could not be looked for and removed, so some may be left: %v\n", what, why) // nobody is left to tell
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
