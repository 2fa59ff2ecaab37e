package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/pflag"

	"github.com/bucketmill/bucketmill/cmd/bucketmill/internal/cost"
	"github.com/bucketmill/bucketmill/controller/planner"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// costFlags are the flags of "run" that show what a job costs.
type costFlags struct {
	explain, dryRun bool
	prices          cost.Prices
	shuffleRatio    float64
}

func (f *costFlags) register(fs *pflag.FlagSet) {
	fs.BoolVar(&f.explain, "explain", false, "print the expected cost before the job runs, and the actual cost beside it at the end")
	fs.BoolVar(&f.dryRun, "dry-run", false, "print the expected cost, and don't run the job")
	fs.Float64Var(&f.prices.Put, "price-put", cost.S3Prices.Put, "dollars for 1,000 PUT, POST or LIST requests, for --explain")
	fs.Float64Var(&f.prices.Get, "price-get", cost.S3Prices.Get, "dollars for 1,000 GET or HEAD requests, for --explain")
	fs.Float64Var(&f.shuffleRatio, "shuffle-ratio", 0, "expected bytes of shuffle per byte of input, for --explain (default: depends on the kind of program)")
}

func (f *costFlags) validate() error {
	if f.prices.Put < 0 || f.prices.Get < 0 || f.shuffleRatio < 0 {
		return errors.New("--price-put, --price-get and --shuffle-ratio can't be negative")
	}
	return nil
}

// wanted reports whether the cost must be estimated.
func (f *costFlags) wanted() bool { return f.explain || f.dryRun }

// s3Latency is the assumed time to the first byte of an S3 store's answer.
const s3Latency = 15 * time.Millisecond

// expectation is a job with its expected cost.
type expectation struct {
	job    cost.Job
	prices cost.Prices
	cost.Estimate
}

// expect plans the job, on separate connections, and estimates its cost.
func (f *runFlags) expect(ctx context.Context, programs program.Config, spec job.Spec, programPath string) (x expectation, err error) {
	kind, err := kinds.All().Find(spec.Kind)
	if err != nil {
		return x, err
	}
	p, err := kind.Open(programs, program.SpecOf(&spec), programPath)
	if err != nil {
		return x, err
	}
	stores, err := f.store.open()
	if err != nil {
		return x, err
	}
	preview, err := planner.PreviewJob(ctx, stores.Open, kinds.All().Jobs(), spec, f.executors)
	if err != nil {
		return x, err
	}
	out, err := objstore.ParseURL(spec.Output)
	if err != nil {
		return x, err
	}
	x.prices = f.cost.prices
	x.job = cost.Job{
		Inputs: preview.Inputs, Bytes: preview.Bytes, Listing: stores.Stats(),
		Maps: preview.Maps, Reducers: preview.Reducers, Pages: preview.Pages, Folders: 1 + preview.Spread,
		Program:      cost.Of(&kind.Kind, spec.Program, p.Traits()),
		ShuffleRatio: f.cost.shuffleRatio, Artifacts: len(spec.ProgramFiles), Overwrite: spec.Overwrite,
		Executors: f.executors, Slots: f.executors, Cores: runtime.NumCPU(),
		SlotMemory: int64(f.memory) / int64(f.executors),
	}
	if programPath != "" {
		x.job.Artifacts++
	}
	if out.Scheme == "s3" {
		x.job.Latency = s3Latency
	}
	work, err := f.workURL(spec, "/")
	if err != nil {
		return x, err
	}
	x.job.RequestCost = executor.RequestCost(work)
	if x.job.Reads, err = reads(preview.Tasks, spec, f.executors, x.job.SlotMemory); err != nil {
		return x, err
	}
	x.Estimate = cost.Expect(x.job)
	parts := x.job.Reducers
	if parts == 0 {
		parts = x.job.Maps
	}
	if x.job.StoredHandles, err = storedHandles(out, x.Output/int64(max(1, parts))); err != nil {
		return x, err
	}
	x.Estimate = cost.Expect(x.job)
	return x, nil
}

// storedHandles reports whether the handles of output parts of about this size are too large for
// Redis. Those of S3 are: they contain upload ids of at least 100 characters.
func storedHandles(out objstore.URL, size int64) (bool, error) {
	handle, err := json.Marshal(objstore.Upload{
		Key: path.Join(out.Key, layout.PartName(0)), ID: ".bm-0123456789abcdef." + layout.PartName(0) + ".pending", Size: size,
		Parts: []objstore.Part{{Number: 1, ETag: "12345678-1234567812345678-123456", Size: size}},
	})
	if err != nil {
		return false, err
	}
	text, err := json.Marshal(layout.Part{Upload: handle, Bytes: size, Records: size / 10, Checksum: "xxh64:0123456789abcdef"})
	return out.Scheme == "s3" || len(text) > executor.InlineManifest, err
}

// reads returns the number of requests with which the executors read the inputs.
func reads(tasks iter.Seq[input.Task], spec job.Spec, executors int, slotMemory int64) (n int64, err error) {
	format, err := formats.Inputs.Parse(spec.Format, spec.Compression)
	if err != nil {
		return 0, err
	}
	opts := executor.SplitOptions(format, slotMemory)
	object, heads := "", 0 // the last object whose first bytes are read, and how often they are read
	for t := range tasks {
		for _, s := range t {
			ranges, head := s.Reads(opts)
			n += int64(ranges)
			if !head {
				continue
			}
			if s.Input != object {
				object, heads = s.Input, 0
			}
			if heads++; heads <= executors { // each executor caches them
				n++
			}
		}
	}
	return n, nil
}

// actual is the actual cost of a job.
type actual struct {
	shuffle, output int64 // bytes
	requests        objstore.Stats
	took            time.Duration
}

// print prints the expected cost. After the job, it prints the actual cost beside it.
func (x *expectation) print(out io.Writer, real *actual) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, expected, real string) {
		fmt.Fprintln(w, strings.TrimRight(name+"\t"+expected+"\t"+real, "\t"))
	}
	if real == nil {
		tasks := plural(x.job.Maps, "map task")
		if x.job.Maps > 0 {
			tasks += " of " + humanize.IBytes(uint64(x.job.Bytes)/uint64(x.job.Maps))
		}
		fmt.Fprintf(out, "plan      %s in %s; %s, %s\n", humanize.IBytes(uint64(x.job.Bytes)), plural(x.job.Inputs, "object"), tasks, plural(x.job.Reducers, "reduce task"))
		fmt.Fprintf(out, "assuming  %s: %s/s per core, %s at a time; see docs/cost-model.md\n\n",
			x.job.Program.Name, humanize.Bytes(uint64(x.job.Program.Rate)), plural(min(x.job.Slots, x.job.Cores), "task"))
		real = &actual{}
		row("", "expected", "")
		x.rows(func(name, expected, _ string) { row(name, expected, "") }, real)
	} else {
		fmt.Fprintln(out)
		row("", "expected", "real")
		x.rows(row, real)
	}
	return w.Flush()
}

func (x *expectation) rows(row func(name, expected, real string), real *actual) {
	size := func(n int64) string { return humanize.IBytes(uint64(n)) }
	expected, requests := x.Requests, real.requests
	row("shuffle", size(x.Shuffle), size(real.shuffle))
	row("output", size(x.Output), size(real.output))
	for _, kind := range []struct {
		name           string
		expected, real int64
	}{
		{"GET", expected.Gets, requests.Gets},
		{"HEAD", expected.Heads, requests.Heads},
		{"PUT", expected.Puts, requests.Puts},
		{"LIST", expected.Lists, requests.Lists},
		{"DELETE", expected.Deletes, requests.Deletes},
	} {
		row(kind.name, humanize.Comma(kind.expected), humanize.Comma(kind.real))
	}
	if again := requests.Retries + requests.Hedges; again > 0 {
		row("repeated", "0", humanize.Comma(again))
	}
	row("requests cost", dollars(x.prices.Of(expected)), dollars(x.prices.Of(requests)))
	row("time", x.Time.Round(10*time.Millisecond).String(), real.took.Round(10*time.Millisecond).String())
}

// dollars formats an amount; small amounts get more digits.
func dollars(d float64) string {
	if d < 1 {
		return fmt.Sprintf("$%.6f", d)
	}
	return fmt.Sprintf("$%.2f", d)
}

// compare prints the expected and the actual cost of a completed job. requests are those that it
// sent.
func (c *cluster) compare(ctx context.Context, out io.Writer, expected *expectation, job state.Job, requests objstore.Stats) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	counters, err := c.store.Counters(ctx, job.ID)
	if err != nil {
		return err
	}
	return expected.print(out, &actual{
		shuffle: counters["shuffle_bytes"], output: counters["output_bytes"], requests: requests, took: job.Ended.Sub(job.Submitted),
	})
}
