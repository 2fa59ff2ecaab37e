package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/job"
)

// executorFlags are the settings of an executor.
type executorFlags struct {
	serviceFlags
	id               string
	slots            int
	memory           job.ByteSize
	programMemory    job.ByteSize
	lease, heartbeat time.Duration
	grace            time.Duration
	scratch          string
	python           string
	programUser      programUserFlag
	listen           string
}

func newExecutorCommand() *cobra.Command {
	f := &executorFlags{memory: enoughMemory(1<<30, runtime.NumCPU())}
	cmd := &cobra.Command{
		Use:   "executor --redis URL --store s3://BUCKET[/PREFIX]",
		Short: "Claim and run tasks until told to stop",
		Long: `Executor claims tasks from Redis, and reads and writes the object store. It is stateless: start as
many as there is work for, in any order, and stop them at any time. On SIGTERM an executor stops
claiming tasks, lets its tasks run for up to --grace, hands back the rest, and exits with 0. A second
signal stops it at once; then its leases expire and its tasks are reassigned.

Every setting is also read from BUCKETMILL_NAME and from --config FILE.`,
		Args: exactArgs(0, "no arguments"),
	}
	fs := cmd.Flags()
	f.register(fs)
	fs.StringVar(&f.id, "id", "", "name of this executor (default: host, pid and time)")
	fs.IntVar(&f.slots, "slots", runtime.NumCPU(), "tasks that run at the same time")
	fs.Var(&f.memory, "memory", "memory for the buffers of all slots together")
	fs.Var(&f.programMemory, "program-memory", "most memory of one task's program (default: three quarters of the machine's memory, divided among the slots)")
	fs.DurationVar(&f.lease, "lease", 30*time.Second, "time after the executor's last heartbeat until its tasks are reassigned")
	fs.DurationVar(&f.heartbeat, "heartbeat", 5*time.Second, "time between heartbeats; at most a third of --lease")
	fs.DurationVar(&f.grace, "grace", 20*time.Second, "how long running tasks may take after the executor is told to stop")
	fs.StringVar(&f.scratch, "scratch", "", "folder on local disk for spills (default: the system's temporary folder)")
	fs.StringVar(&f.python, "python", "", "Python interpreter for .py programs (default python3)")
	f.programUser.register(fs)
	fs.StringVar(&f.listen, "listen", "", "HOST:PORT for /healthz, /readyz and /metrics (default: none)")
	addConfig(cmd, f.check, func(cmd *cobra.Command) error { return f.run(cmd) })
	return cmd
}

// check checks all settings that can be checked without a request.
func (f *executorFlags) check(ctx context.Context) error {
	if err := cmp.Or(f.validate(), f.checkStore(ctx)); err != nil {
		return err
	}
	if f.slots < 1 || int64(f.memory) < int64(f.slots)*executor.MinMemory {
		return usageError{fmt.Errorf("--slots %d with --memory %v: use at least one slot, and %d MiB for each", f.slots, &f.memory, executor.MinMemory>>20)}
	}
	if f.heartbeat <= 0 || 3*f.heartbeat > f.lease {
		return usageError{fmt.Errorf("--heartbeat %v with --lease %v: a lease must be at least three heartbeats", f.heartbeat, f.lease)}
	}
	if f.grace < 0 {
		return usageError{errors.New("--grace can't be negative")}
	}
	return nil
}

func (f *executorFlags) run(cmd *cobra.Command) (err error) {
	ctx, log := cmd.Context(), f.logger(cmd.ErrOrStderr())
	if err := f.programUser.check(f.slots, log); err != nil {
		return err
	}
	debug.SetMemoryLimit(int64(f.memory) + runtimeReserve)
	f.store.parts.Most = executor.MostPart(int64(f.memory) / int64(f.slots))
	store, stores, err := f.reach(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = joinClose(err, store) }()
	scratch, err := makeWatchedScratch(f.scratch, log)
	if err != nil {
		return err
	}
	defer func() { err = joinRemove(err, scratch) }()
	if err := f.programUser.admit(scratch); err != nil {
		return err
	}
	id := f.id
	if id == "" {
		id = processID()
	}
	registry := newRegistry(stores.Stats)
	e, err := executor.New(ctx, executor.Config{
		Metrics: registry,
		ID:      job.ExecutorID(id), Store: store, Open: stores.Open, Work: f.work, Log: log, Version: version,
		Slots: f.slots, Memory: int64(f.memory), Scratch: scratch.Folder + "/executor",
		Lease: f.lease, Heartbeat: f.heartbeat, Limits: f.limits, Grace: f.grace, KeepLogs: true,
		Program: program.Config{Python: f.python, Launcher: []string{launchCommand}}, Users: f.programUser.users, ProgramMemory: cmp.Or(int64(f.programMemory), programMemory(f.slots)),
	})
	if err != nil {
		return err
	}
	stopHealth, err := serveHealth(f.listen, registry, func(ctx context.Context) error { return reachable(ctx, store, stores, f.work) })
	if err != nil {
		return err
	}
	defer func() { err = joinClose(err, stopHealth) }()
	log.Info("executor is ready", "executor", id, "slots", f.slots, "memory", f.memory.String(), "version", version)
	stopped := context.AfterFunc(ctx, func() {
		log.Info("executor was told to stop and claims no more tasks", "executor", id, "running", len(e.Running()), "grace", f.grace)
	})
	defer stopped()
	err = e.Run(ctx)
	log.Info("executor has stopped", "executor", id)
	return err
}
