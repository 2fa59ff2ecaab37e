package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/bucketmill/bucketmill/objstore/connect"
	"github.com/bucketmill/bucketmill/state"
)

// serviceFlags are the settings that controllers and executors share.
type serviceFlags struct {
	store     storeFlags
	redis     string
	namespace string
	work      string
	logFormat string
	logLevel  slog.Level
	limits    state.Limits
}

// redisURLs are the forms of --redis; see state.Connect.
const redisURLs = "redis://HOST:PORT/DB, redis+sentinel://HOST:PORT,…/MASTER, redis+cluster://HOST:PORT,…, or rediss… for TLS"

func (f *serviceFlags) register(fs *pflag.FlagSet) {
	f.store.register(fs)
	fs.StringVar(&f.redis, "redis", "redis://127.0.0.1:6379/0", "URL of the Redis that stores the state: "+redisURLs)
	fs.StringVar(&f.namespace, "namespace", state.DefaultNamespace, "prefix of all keys in Redis")
	fs.StringVar(&f.work, "store", "", "URL of the work store, s3://bucket[/prefix]: plans, programs, intermediates, logs; the bucket is made if missing")
	fs.StringVar(&f.logFormat, "log-format", "text", "text or json")
	fs.TextVar(&f.logLevel, "log-level", slog.LevelInfo, "DEBUG, INFO, WARN or ERROR")
	fs.IntVar(&f.limits.User, "max-attempts", state.DefaultLimits.User, "attempts at a task whose program fails, unless the job sets another number")
	fs.IntVar(&f.limits.Infra, "max-infra-failures", state.DefaultLimits.Infra, "attempts at a task when the store, a disk or the network fails")
	fs.IntVar(&f.limits.Lost, "max-lost", state.DefaultLimits.Lost, "executors that may vanish while they run a task before its job fails")
	fs.DurationVar(&f.limits.Backoff, "infra-backoff", state.DefaultLimits.Backoff, "wait after the first infrastructure failure; it doubles after each further one")
}

func (f *serviceFlags) validate() error {
	if err := state.CheckURL(f.redis); err != nil {
		return usageError{fmt.Errorf("--redis: %w", err)}
	}
	switch {
	case f.work == "":
		return usageError{errors.New("--store is missing: the URL of the work store, s3://bucket[/prefix]")}
	case f.logFormat != "text" && f.logFormat != "json":
		return usageError{fmt.Errorf("--log-format %q: use text or json", f.logFormat)}
	case f.limits.User < 1 || f.limits.Infra < 1 || f.limits.Lost < 1 || f.limits.Backoff <= 0:
		return usageError{errors.New("--max-attempts, --max-infra-failures, --max-lost and --infra-backoff must be positive")}
	}
	return nil
}

// checkStore checks the work store's URL and the flags of the store. It sends no request.
func (f *serviceFlags) checkStore(ctx context.Context) error {
	if f.work == "" {
		return nil // validate reports it
	}
	stores, err := f.store.open()
	if err != nil {
		return err
	}
	if _, _, err := stores.Open(ctx, f.work); err != nil {
		return usageError{fmt.Errorf("--store: %w", err)}
	}
	return nil
}

func (f *serviceFlags) logger(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: f.logLevel}
	if f.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// reachWait is how long a service waits at its start for Redis and the store.
const reachWait = 60 * time.Second

// reach connects to Redis and to the work store. It waits for them, since services are started in
// any order. It checks that this Redis can be trusted with the state.
func (f *serviceFlags) reach(ctx context.Context, log *slog.Logger) (*state.Store, *connect.Stores, error) {
	store, stores, err := f.connect(ctx, log)
	if err != nil {
		return nil, nil, err
	}
	if err := store.CheckServer(ctx, log); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("redis at %s: %w", state.RedactURL(f.redis), err), store.Close())
	}
	return store, stores, nil
}

// connect is reach without the check of Redis, for an embedded one.
func (f *serviceFlags) connect(ctx context.Context, log *slog.Logger) (*state.Store, *connect.Stores, error) {
	stores, err := f.store.open()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, reachWait)
	defer cancel()
	var store *state.Store
	if err := retry(ctx, log, "reach Redis", func() (err error) {
		store, err = state.Connect(ctx, f.redis, f.namespace)
		return err
	}); err != nil {
		return nil, nil, err
	}
	if err := retry(ctx, log, "reach the work store", func() error { return stores.EnsureBucket(ctx, f.work) }); err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, stores, nil
}

// retry calls try once a second until it succeeds or ctx ends. what names the step in logs and
// errors.
func retry(ctx context.Context, log *slog.Logger, what string, try func() error) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		log.Warn("start failed, retrying", "step", what, "error", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-tick.C:
		}
	}
}

// processID names this process in a cluster. Host and pid are unique at any moment, and the time
// makes the name unique for ever.
func processID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), time.Now().UTC().Format("150405"))
}
