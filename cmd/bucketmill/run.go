package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/controller/planner"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// runFlags are the flags of "run" that describe the cluster in this process.
type runFlags struct {
	job           jobFlags
	store         storeFlags
	cost          costFlags
	executors     int
	memory        job.ByteSize
	programMemory job.ByteSize
	redis         string
	work          string
	scratch       string
	python        string
	verbose       bool
	quiet, json   bool
}

// defaultMemory suits a laptop.
const defaultMemory = 256 << 20

// enoughMemory returns memory, or the least memory of one slot for each core if that is more.
func enoughMemory(memory job.ByteSize, cores int) job.ByteSize {
	return max(memory, job.ByteSize(cores)*executor.MinMemory)
}

func newRunCommand() *cobra.Command {
	f := &runFlags{memory: enoughMemory(defaultMemory, runtime.NumCPU())}
	cmd := &cobra.Command{
		Use:   "run [PROGRAM] --input … --output …",
		Short: "Run a job to its end in this process",
		Long: `Run runs a job to its end in this process, with a controller, executors and, unless --redis names
another, an embedded Redis. PROGRAM is a builtin (see "bucketmill programs"), a Python file with map_fn
and reduce_fn, or an executable that implements the framed protocol. Instead of PROGRAM, --mapper and
--reducer may name any commands that read and write lines, as in Hadoop Streaming.

The output is part-00000, part-00001, …, each of which contains lines of key<TAB>value, sorted by key,
and _SUCCESS once the output is complete. Ctrl-C cancels the job and removes everything that it wrote.

With --explain it prints the expected cost of the job, and at the end the actual cost beside it:
requests to the store and their price, bytes, time. docs/cost-model.md has the formulas.

Exit codes: 0 done, 1 the job failed, 2 wrong usage, 130 interrupted.`,
		Example: `  bucketmill run wordcount --input 'texts/*.txt' --output out/
  bucketmill run ./word_count.py -i s3://inbox/books/ -o s3://outbox/wc -r 4 --s3-endpoint http://127.0.0.1:9000
  bucketmill run --mapper 'python3 map.py' --reducer 'python3 sum.py' --program-file map.py --program-file sum.py -i books/ -o out/`,
		Args: oneProgram,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	fs := cmd.Flags()
	f.job.register(fs)
	completeJobFlags(cmd)
	f.store.register(fs)
	f.cost.register(fs)
	fs.IntVar(&f.executors, "executors", runtime.NumCPU(), "tasks that run at the same time")
	fs.Var(&f.memory, "memory", "memory for the buffers of all executors together")
	fs.Var(&f.programMemory, "program-memory", "most memory of one task's program (default: three quarters of the machine's memory, divided among the executors)")
	fs.StringVar(&f.redis, "redis", "", "keep the job's state in this Redis ("+redisURLs+") instead of an embedded one")
	fs.StringVar(&f.work, "work", "", "folder or URL for intermediates (default: a temporary folder, or .bucketmill in the output's bucket)")
	fs.StringVar(&f.scratch, "scratch", "", "folder on local disk for spills (default: the system's temporary folder)")
	fs.StringVar(&f.python, "python", "", "Python interpreter for .py programs (default python3)")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print only errors")
	fs.BoolVar(&f.json, "json", false, "print the job at its end as JSON, like the API")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "print the log")
	addProfileFlag(cmd)
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, args []string) error {
	outliveReader(cmd.OutOrStdout())
	ctx := cmd.Context()
	spec, programPath, err := f.job.job(args)
	if err != nil {
		return err
	}
	if spec.Webhook != "" {
		return usageError{errors.New("webhook works only on a server: remove it, or use \"bucketmill submit\"")}
	}
	if err := f.validate(); err != nil {
		return usageError{err}
	}
	if err := f.checkOverlap(ctx, spec); err != nil {
		return err
	}
	programs := program.Config{Python: f.python}
	kind, err := kinds.All().Find(spec.Kind)
	if err != nil {
		return usageError{err}
	}
	if programs, err = kind.Ready(ctx, programs); err != nil {
		return usageUnlessStopped(ctx, err)
	}
	remarks := cmd.ErrOrStderr()
	if f.quiet {
		remarks = io.Discard
	}
	if err := packFiles(ctx, programs, &spec, programPath, remarks); err != nil {
		return err
	}
	if _, err := kind.Open(programs, program.SpecOf(&spec), programPath); err != nil {
		return usageError{err}
	}
	if err := checkProgram(ctx, programs, spec, programPath); err != nil {
		if kind.Origin == job.OriginCommands { // the command does not exist
			err = usageUnlessStopped(ctx, err)
		}
		return printUserError(cmd.ErrOrStderr(), err)
	}
	var expected expectation
	if f.cost.wanted() {
		if expected, err = f.expect(ctx, programs, spec, programPath); err == nil {
			err = expected.print(cmd.OutOrStdout(), nil)
		}
		if err != nil || f.cost.dryRun {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout())
	}
	// Go's collector would let the heap grow to twice the live data; near this limit it runs more
	// often instead.
	debug.SetMemoryLimit(int64(f.memory) + runtimeReserve)

	ui := newUI(cmd.OutOrStdout(), cmd.ErrOrStderr())
	if ui.quiet = f.quiet; f.quiet {
		ui.close()
	}
	if sortsNothing(spec) && !f.quiet {
		fmt.Fprintln(cmd.ErrOrStderr(), "  sort with 0 reducers sorts nothing: the lines keep their order")
	}
	level := slog.LevelError + 4 // log nothing: the report has what matters
	if f.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(ui.log(), &slog.HandlerOptions{Level: level}))
	c, err := f.startCluster(ctx, spec, programs, log, ui)
	if err != nil {
		return err
	}
	job, runErr := c.runJob(ctx, spec, programPath, ui)
	requests := c.stores.Stats()
	ui.close()
	var summaryErr error
	if runErr == nil {
		summaryErr = f.report(ctx, cmd, c, job, spec, ui)
	}
	if runErr == nil && summaryErr == nil && f.cost.explain {
		summaryErr = c.compare(ctx, cmd.OutOrStdout(), &expected, job, requests)
	}
	return errors.Join(runErr, summaryErr, c.stop(ctx))
}

// usageUnlessStopped makes err a usage error, unless an interrupt caused it.
func usageUnlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return usageError{err}
}

// validate checks the flags that are not the job's.
func (f *runFlags) validate() error {
	if err := f.cost.validate(); err != nil {
		return err
	}
	if f.executors < 1 {
		return fmt.Errorf("--executors %d must be at least 1", f.executors)
	}
	if least := job.ByteSize(f.executors) * executor.MinMemory; f.memory < least {
		return fmt.Errorf("--memory %s is too little: %s need at least %s", f.memory, plural(f.executors, "executor"), least)
	}
	if f.redis != "" {
		if err := state.CheckURL(f.redis); err != nil {
			return fmt.Errorf("--redis: %w", err)
		}
	}
	return nil
}

// checkOverlap refuses an output that overlaps an input, before anything is started.
func (f *runFlags) checkOverlap(ctx context.Context, spec job.Spec) error {
	stores, err := f.store.open()
	if err != nil {
		return err
	}
	if err := f.checkBuckets(ctx, stores, spec); err != nil {
		return err
	}
	err = planner.CheckOverlap(ctx, stores.Open, spec)
	if errors.Is(err, planner.ErrOverlap) {
		return usageError{err}
	}
	return err
}

// runtimeReserve is the memory in bytes that the process needs besides buffers: for code, stacks,
// clients, the embedded Redis.
const runtimeReserve = 96 << 20

func checkProgram(ctx context.Context, cfg program.Config, spec job.Spec, path string) error {
	return kinds.All().Check(ctx, cfg, program.SpecOf(&spec), path)
}

// report prints the end of a job and turns its outcome into an error.
func (f *runFlags) report(ctx context.Context, cmd *cobra.Command, c *cluster, j state.Job, spec job.Spec, ui *ui) error {
	// The job has ended; its report may take a moment, even if ctx has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if f.json {
		if err := c.printEnd(ctx, cmd.OutOrStdout(), j, spec); err != nil {
			return err
		}
	}
	switch j.State {
	case job.Completed:
		if f.json || f.quiet {
			return nil
		}
		return ui.summary(ctx, c, j, spec)
	case job.Cancelled:
		fmt.Fprintln(cmd.ErrOrStderr(), "bucketmill: interrupted; the job was cancelled")
		return reportedError{errInterrupted}
	}
	failures, err := c.store.Failures(ctx, j.ID)
	ui.failure(j, spec, failures)
	return errors.Join(reportedError{errJobFailed}, err)
}

var errJobFailed = errors.New("job failed")

// printUserError prints an error of the user's program with its traceback.
func printUserError(w io.Writer, err error) error {
	user, ok := errors.AsType[*program.UserError](err)
	if !ok || user.Traceback == "" {
		return err
	}
	fmt.Fprintf(w, "bucketmill: %v\n", user)
	section(w, "traceback", user.Traceback)
	return reportedError{err}
}

// How often a job's record is read, and its progress shown.
const (
	pollInterval = 10 * time.Millisecond
	showInterval = 200 * time.Millisecond
	// outageWait is how long to wait for a Redis that does not answer.
	outageWait = time.Minute
	// cleanUpWait is how long to wait for the clean-up of a job: longer than the clean-up retries
	// when the store does not answer.
	cleanUpWait = 50 * time.Second
)

// waitJob polls a job until it has ended, and shows its progress. When ctx ends, it cancels the job
// and waits for the clean-up.
func waitJob(ctx context.Context, store *state.Store, id job.ID, ui *ui) (state.Job, error) {
	polling := context.WithoutCancel(ctx)
	interrupted := ctx.Done()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	var shown, over time.Time
	answered := time.Now()
	for {
		j, err := store.Job(polling, id)
		if state.IsOutage(err) && time.Since(answered) < outageWait && ctx.Err() == nil {
			<-poll.C
			continue
		}
		if err != nil {
			return j, err
		}
		answered = time.Now()
		if j.Phase == job.PhaseEnded {
			ui.progress(j, nil)
			return j, nil
		}
		if j.State.Terminal() && over.IsZero() {
			over = time.Now()
		}
		if !over.IsZero() && time.Since(over) > cleanUpWait {
			_, err := ui.write([]byte("the clean-up did not finish: something may be left behind (see --verbose)\n"))
			return j, err
		}
		if time.Since(shown) > showInterval {
			shown = time.Now()
			running, err := store.Running(polling, id)
			if err != nil {
				return j, err
			}
			ui.progress(j, running)
		}
		select {
		case <-interrupted:
			interrupted = nil
			err := store.Stop(polling, id, state.AnyStage, job.Cancelled, job.Failure{Class: job.ClassJob, Message: "interrupted"})
			if err != nil && !errors.Is(err, state.ErrIllegal) {
				return j, err
			}
		case <-poll.C:
		}
	}
}
