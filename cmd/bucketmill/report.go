package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// summary prints what a completed job did, and the beginning of its output.
func (u *ui) summary(ctx context.Context, c *cluster, job state.Job, spec state.Spec) error {
	n, err := c.store.Counters(ctx, job.ID)
	if err != nil {
		return err
	}
	plan, err := state.ParsePlan(job.Plan)
	if err != nil {
		return err
	}
	took := job.Ended.Sub(job.Submitted)
	w := tabwriter.NewWriter(u.out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	row("job", "%s  %s  %s in %s", job.ID, job.Name, job.State, took.Round(time.Millisecond))
	row("input", "%s in %s, %s records, %s/s", humanize.IBytes(uint64(plan.Bytes)), plural(plan.Inputs, "object"),
		humanize.Comma(n["map_input_records"]), humanize.IBytes(uint64(float64(plan.Bytes)/max(took.Seconds(), 0.001))))
	if job.Reduce.Total > 0 {
		row("shuffle", "%s, %s records of %s mapped", humanize.IBytes(uint64(n["shuffle_bytes"])),
			humanize.Comma(n["shuffle_records"]), humanize.Comma(n["map_output_records"]))
	}
	row("output", "%s in %s, %s records", humanize.IBytes(uint64(n["output_bytes"])), plural(outputs(job), "part"), humanize.Comma(n["output_records"]))
	row("attempts", "%s", attempts(job))
	for name, value := range n {
		if name, ok := strings.CutPrefix(name, "user:"); ok {
			row(name, "%s", humanize.Comma(value))
		}
	}
	row("where", "%s", place(spec.Output))
	if spec.KeepIntermediates {
		row("intermediates", "%s", place(c.work))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return u.firstLines(ctx, c, job, spec)
}

func outputs(job state.Job) int {
	if job.Reduce.Total > 0 {
		return job.Reduce.Total
	}
	return job.Map.Total
}

func attempts(job state.Job) string {
	failed := job.Map.Failed + job.Reduce.Failed
	s := plural(job.Map.Total, "map task") + ", " + plural(job.Reduce.Total, "reduce task")
	if failed > 0 {
		s += fmt.Sprintf(", %s done again after a failure", plural(failed, "attempt"))
	}
	return s
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return humanize.Comma(int64(n)) + " " + what + "s"
}

// place shows a URL as people write it.
func place(url string) string { return strings.TrimPrefix(url, "file://") }

const (
	shownLines = 5
	shownWidth = 100  // bytes of a line
	shownBytes = 4096 // read to find the lines
)

// firstLines prints the beginning of the first part that is not empty.
func (u *ui) firstLines(ctx context.Context, c *cluster, job state.Job, spec state.Spec) error {
	b, prefix, err := c.stores.Open(ctx, spec.Output)
	if err != nil {
		return err
	}
	for i := range outputs(job) {
		name := state.PartName(i)
		head, err := readHead(ctx, b, strings.TrimPrefix(path.Join(prefix, name), "/"))
		if err != nil {
			return err
		}
		if len(head) == 0 {
			continue
		}
		fmt.Fprintf(u.out, "\n%s begins:\n", name)
		for n, line := range bytes.SplitN(bytes.TrimSuffix(head, []byte("\n")), []byte("\n"), shownLines+1) {
			if n == shownLines {
				break
			}
			more := ""
			if len(line) > shownWidth {
				line, more = line[:shownWidth], "…"
			}
			fmt.Fprintf(u.out, "  %s%s\n", bytes.ToValidUTF8(line, []byte("�")), more)
		}
		return nil
	}
	fmt.Fprintln(u.out, "\nThe output has no records.")
	return nil
}

func readHead(ctx context.Context, b objstore.Bucket, key string) (head []byte, err error) {
	r, err := b.Get(ctx, key, 0, shownBytes)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r)
}

// failure prints why a job failed: what, where, and the program's own words.
func (u *ui) failure(job state.Job, spec state.Spec, failures []state.Failure) {
	why := job.Error
	if why == nil {
		why = &state.Failure{Message: "no reason is recorded"}
	}
	fmt.Fprintf(u.err, "bucketmill: job failed: %s\n", why.Message)
	if why.Attempt != "" {
		tries := 0
		for _, f := range failures {
			if task, _, _ := strings.Cut(f.Attempt, "."); strings.HasPrefix(why.Attempt, task+".") {
				tries++
			}
		}
		fmt.Fprintf(u.err, "  task:     %s, given up after %s\n", taskName(why.Attempt), plural(tries, "failed attempt"))
	}
	section(u.err, "traceback", why.Detail)
	section(u.err, "last lines of the program's log", why.Log)
	fmt.Fprintf(u.err, "Nothing was written to %s.\n", place(spec.Output))
}

// abandoned tells of what a job leaves behind against its will.
func (u *ui) abandoned(_ state.JobID, what string, why error) {
	_, _ = fmt.Fprintf(u.log(), "  The job's %s could not be removed: %v\n", what, why) // nobody is left to tell
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
