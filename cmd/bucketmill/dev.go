package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/state/embedded"
)

// devFlags are the settings of a server on a laptop.
type devFlags struct {
	serviceFlags
	api     apiFlags
	webhook webhookFlags
	data    string
	slots   int
	memory  job.ByteSize
	python  string

	programUser programUserFlag
}

func newDevCommand() *cobra.Command {
	f := &devFlags{memory: enoughMemory(defaultMemory, runtime.NumCPU())}
	f.limits = state.DefaultLimits
	f.limits.Shun = -1 // there is no other executor
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a server on a laptop: a controller and an executor in one process",
		Long: `Dev serves the same HTTP API as a cluster, with an embedded Redis and a folder as the
store. Jobs may name files of this machine. The records of jobs end with the process; outputs stay.

Jobs run as you and can read your files. So the server requires a token. It makes a new one at each start and
saves it in a file that only you can read: your bucketmill commands find it there by the server's address, other
users can't. --tokens FILE uses your own tokens instead, and --no-auth requires none.

Every setting is also read from BUCKETMILL_NAME and from --config FILE.`,
		Args: exactArgs(0, "no arguments"),
	}
	fs := cmd.Flags()
	f.store.register(fs)
	f.api.register(fs)
	f.webhook.register(fs)
	fs.StringVar(&f.data, "data", "bucketmill-data", "folder for plans, programs, intermediates and logs")
	fs.StringVar(&f.logFormat, "log-format", "text", "text or json")
	fs.TextVar(&f.logLevel, "log-level", slog.LevelInfo, "DEBUG, INFO, WARN or ERROR")
	fs.IntVar(&f.slots, "slots", runtime.NumCPU(), "tasks that run at the same time")
	fs.Var(&f.memory, "memory", "memory for the buffers of all slots together")
	fs.StringVar(&f.python, "python", "", "Python interpreter for .py programs (default python3)")
	f.programUser.register(fs)
	addConfig(cmd, f.check, func(cmd *cobra.Command) error { return f.run(cmd) })
	return cmd
}

// check checks all settings.
func (f *devFlags) check(ctx context.Context) error {
	u, err := objstore.ParseURL(f.data)
	if err != nil {
		return usageError{fmt.Errorf("--data: %w", err)}
	}
	f.work = u.String()
	if f.slots < 1 || int64(f.memory) < int64(f.slots)*executor.MinMemory {
		return usageError{fmt.Errorf("--slots %d with --memory %v: use at least one slot, and %d MiB for each", f.slots, &f.memory, executor.MinMemory>>20)}
	}
	f.redis, f.namespace = "redis://127.0.0.1:0", state.DefaultNamespace // until run has started it
	if f.api.tokens == "" && !f.api.open {
		f.api.secret = newSecret()
	}
	return cmp.Or(f.validate(), f.api.validate(), f.checkStore(ctx))
}

func (f *devFlags) run(cmd *cobra.Command) (err error) {
	redis, err := embedded.Start()
	if err != nil {
		return err
	}
	defer redis.Close()
	f.redis = redis.URL()
	ctx, log := cmd.Context(), f.logger(cmd.ErrOrStderr())
	if err := f.programUser.check(f.slots, log); err != nil {
		return err
	}
	debug.SetMemoryLimit(int64(f.memory) + runtimeReserve)
	store, stores, err := f.connect(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = joinClose(err, store) }()
	scratch, err := makeWatchedScratch("", log)
	if err != nil {
		return err
	}
	defer func() { err = joinRemove(err, scratch) }()
	if err := f.programUser.admit(scratch); err != nil {
		return err
	}
	registry := newRegistry(stores.Stats)
	ctrl, err := controller.New(ctx, controller.Config{
		Metrics: registry,
		ID:      "dev", Store: store, Open: stores.Open, Work: f.work, Limits: f.limits, Log: log, KeepFailed: time.Hour, NoBackups: true,
		Notify: f.webhook.notify(log), Kinds: kinds.All().Jobs(),
	})
	if err != nil {
		return err
	}
	worker, err := executor.New(ctx, executor.Config{
		Metrics: registry,
		ID:      "dev", Store: store, Open: stores.Open, Work: f.work, Log: log, Version: version,
		Slots: f.slots, Memory: int64(f.memory), Scratch: filepath.Join(scratch.Folder, "executor"),
		Lease: localLease, Heartbeat: localHeartbeat, Limits: f.limits, KeepLogs: true,
		Program: program.Config{Python: f.python, Launcher: []string{launchCommand}}, Users: f.programUser.users, ProgramMemory: programMemory(f.slots), NoBreaker: true,
	})
	if err != nil {
		return err
	}
	server, err := f.api.server(f.serviceFlags, ctrl, store, stores, registry, log, true)
	if err != nil {
		return err
	}
	return serveAll(ctx, ctrl.Run, worker.Run, func(ctx context.Context) error { return f.api.serve(ctx, server, log, cmd.ErrOrStderr()) },
		func(ctx context.Context) error { return f.api.followTokens(ctx, server, log, nil) }) // a hangup ends the process: its terminal is closed
}

// serveAll runs the parts of a service until ctx ends or one of them fails.
func serveAll(ctx context.Context, parts ...func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, part := range parts {
		g.Go(func() error { return part(ctx) })
	}
	return g.Wait()
}
