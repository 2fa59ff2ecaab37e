package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// outcome is the content of a completed job's summary, for jobs in this process and on a server.
type outcome struct {
	job           state.Job
	spec          job.Spec
	counters      map[string]int64
	inputs        int   // objects
	inputBytes    int64 // of them
	unread        unread
	intermediates string // URL; empty if they are not kept, or the job ran on a server
	// head reads the first shownBytes of a part of the output.
	head func(ctx context.Context, part int) ([]byte, error)
}

// unread counts the parts of the inputs that a job did not read.
type unread struct {
	hidden     int    // objects and folders whose names begin with _ or .
	outputs    int    // folders with outputs of jobs
	own        int    // folders of Bucketmill
	empty      int    // inputs of 0 bytes
	firstEmpty string // the first of these
}

// rows prints the counts that are not 0.
func (l unread) rows(row func(name, format string, args ...any)) {
	if l.hidden == 1 {
		row("skipped", "1 name that begins with _ or .")
	} else if l.hidden > 1 {
		row("skipped", "%s that begin with _ or .", plural(l.hidden, "name"))
	}
	if l.outputs > 0 {
		row("skipped", "%s below the inputs with the output of a job (_SUCCESS); name it to read it", plural(l.outputs, "folder"))
	}
	if l.own > 0 {
		row("skipped", "%s of Bucketmill on the work store", plural(l.own, "folder"))
	}
	switch {
	case l.empty == 1:
		row("empty", "input %s has 0 bytes", place(l.firstEmpty))
	case l.empty > 1:
		row("empty", "%s have 0 bytes, the first is %s", plural(l.empty, "input"), place(l.firstEmpty))
	}
}

// summary prints the results of a completed job in this process, and the beginning of its output.
func (u *ui) summary(ctx context.Context, c *cluster, job state.Job, spec job.Spec) error {
	counters, err := c.store.Counters(ctx, job.ID)
	if err != nil {
		return err
	}
	plan, err := layout.ParsePlan(job.Plan)
	if err != nil {
		return err
	}
	b, prefix, err := c.stores.Open(ctx, spec.Output)
	if err != nil {
		return err
	}
	o := outcome{
		job: job, spec: spec, counters: counters, inputs: plan.Inputs, inputBytes: plan.Bytes,
		unread: unread{hidden: plan.PassedOver, outputs: plan.Outputs, own: plan.Own, empty: plan.Empty, firstEmpty: plan.EmptyInput},
		head: func(ctx context.Context, part int) ([]byte, error) {
			return readHead(ctx, b, strings.TrimPrefix(path.Join(prefix, layout.PartName(part)), "/"))
		},
	}
	if spec.KeepIntermediates {
		o.intermediates = c.work
	}
	return u.completed(ctx, o)
}

// completed prints the results of a completed job, and the beginning of its output.
func (u *ui) completed(ctx context.Context, o outcome) error {
	j, n := o.job, o.counters
	took := j.Ended.Sub(j.Submitted)
	w := tabwriter.NewWriter(u.out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", visible(name), visible(fmt.Sprintf(format, args...)))
	}
	row("job", "%s  %s  %s in %s", j.ID, j.Name, j.State, took.Round(time.Millisecond))
	row("input", "%s in %s, %s, %s/s", humanize.IBytes(uint64(o.inputBytes)), plural(o.inputs, "object"),
		plural64(n["map_input_records"], "record"), humanize.IBytes(uint64(float64(o.inputBytes)/max(took.Seconds(), 0.001))))
	o.unread.rows(row)
	if j.Reduce.Total > 0 {
		row("shuffle", "%s, %s of %s mapped", humanize.IBytes(uint64(n["shuffle_bytes"])),
			plural64(n["shuffle_records"], "record"), humanize.Comma(n["map_output_records"]))
	}
	row("output", "%s in %s, %s", humanize.IBytes(uint64(n["output_bytes"])), plural(outputs(j), "part"), plural64(n["output_records"], "record"))
	row("attempts", "%s", attempts(j))
	for _, name := range slices.Sorted(maps.Keys(n)) {
		if user, ok := strings.CutPrefix(name, "user:"); ok {
			row(user, "%s", humanize.Comma(n[name]))
		}
	}
	if n := n["overflowed_counters"]; n > 0 {
		row("counters", "too low: %s exceeded 64 bits", plural(int(n), "addition"))
	}
	row("where", "%s", place(o.spec.Output))
	if o.intermediates != "" {
		row("intermediates", "%s", place(o.intermediates))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if n := n[job.Skipped]; n > 0 {
		fmt.Fprintf(u.out, "\n%s: see %s\n", skippedRecords(n), place(strings.TrimSuffix(o.spec.Output, "/")+"/"+layout.SkippedFolder+"/"))
	}
	return u.firstLines(ctx, o)
}

func skippedRecords(n int64) string {
	if n == 1 {
		return "1 record was skipped"
	}
	return plural(int(n), "record") + " were skipped"
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
		s += fmt.Sprintf(", %s repeated after a failure", plural(failed, "attempt"))
	}
	return s
}

func plural(n int, what string) string { return plural64(int64(n), what) }

func plural64(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return humanize.Comma(n) + " " + what + "s"
}

// place formats a URL as people write it.
func place(url string) string { return strings.TrimPrefix(url, "file://") }

const (
	shownLines = 5
	shownWidth = 100  // bytes of a line
	shownBytes = 4096 // that are read for them
)

// firstLines prints the beginning of the first part that is not empty.
func (u *ui) firstLines(ctx context.Context, o outcome) error {
	for i := range outputs(o.job) {
		head, err := o.head(ctx, i)
		if err != nil {
			return err
		}
		if len(head) == 0 {
			continue
		}
		fmt.Fprintf(u.out, "\n%s begins:\n", layout.PartName(i))
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
