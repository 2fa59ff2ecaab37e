package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
	"github.com/bucketmill/bucketmill/state"
)

// apiFlags are the settings of the HTTP API.
type apiFlags struct {
	listen           string
	tokens           string
	open             bool
	hosts            []string
	admitted         []server.Token // that validate has read
	secret           string         // of the only token, with the role admin, if there is no file; see localtoken.go
	tlsCert, tlsKey  string
	allow            []string
	maxProgram       job.ByteSize
	maxUpload        job.ByteSize
	uploads          int
	rate             float64
	maxJobs          int
	maxPriority      int
	maxStreams       int
	publicS3Endpoint string
}

func (f *apiFlags) register(fs *pflag.FlagSet) {
	f.maxProgram, f.maxUpload = server.DefaultMaxProgram, server.DefaultMaxUpload
	fs.StringVar(&f.listen, "listen", "127.0.0.1:8080", "HOST:PORT of the HTTP API")
	fs.Var((*tokensFile)(&f.tokens), "tokens", "file of bearer tokens: lines of NAME ROLE sha256:HEX, roles read, submit, admin (see \"bucketmill token\"); read again when it changes")
	fs.BoolVar(&f.open, "no-auth", false, "require no token, even if --listen is reachable from other machines")
	fs.StringSliceVar(&f.hosts, "host", nil, "host name of this server for clients; repeatable. A server without tokens answers only requests to localhost, IP addresses and these names")
	fs.StringVar(&f.tlsCert, "tls-cert", "", "PEM file of the TLS certificate chain")
	fs.StringVar(&f.tlsKey, "tls-key", "", "PEM file of the TLS key")
	fs.StringSliceVar(&f.allow, "allow", nil, "URL prefix (s3://bucket/prefix) that jobs and objects may use; repeatable (default: everything that the credentials reach)")
	fs.Var(&f.maxProgram, "max-program", "largest program, with all its files")
	fs.Var(&f.maxUpload, "max-upload", "largest object to upload")
	fs.IntVar(&f.uploads, "uploads", server.DefaultUploads, "most uploads at the same time; each takes about 17 MB of memory")
	fs.IntVar(&f.maxJobs, "max-jobs", defaultMaxJobs, "most active jobs of one caller; 0: no limit")
	fs.IntVar(&f.maxPriority, "max-priority", defaultMaxPriority, "highest priority of a job that the role submit may set; admins, and everyone on a server without tokens, may set up to 1000")
	fs.IntVar(&f.maxStreams, "max-streams", server.DefaultMaxStreams, "most event streams of one caller at the same time")
	fs.Float64Var(&f.rate, "rate", 0, "most requests per second of one client address; 0: no limit")
	fs.StringVar(&f.publicS3Endpoint, "s3-public-endpoint", "", "URL at which clients reach the S3 store, for presigned links (default: --s3-endpoint)")
}

// Defaults of the limits for one caller.
const (
	defaultMaxJobs     = 1000
	defaultMaxPriority = 100
	defaultMaxTasks    = 2_000_000
)

func (f *apiFlags) validate() error {
	host, _, err := net.SplitHostPort(f.listen)
	if err != nil {
		return usageError{fmt.Errorf("--listen %q: use HOST:PORT", f.listen)}
	}
	if f.tokens == "" && !f.open && !loopback(host) {
		return usageError{fmt.Errorf("--listen %s is reachable from other machines: add --tokens FILE, or --no-auth if everyone who reaches it may do everything", f.listen)}
	}
	if f.maxJobs < 0 || f.maxStreams < 1 {
		return usageError{fmt.Errorf("--max-jobs %d must be at least 0, and --max-streams %d at least 1", f.maxJobs, f.maxStreams)}
	}
	if !job.ValidPriority(f.maxPriority) {
		return usageError{fmt.Errorf("--max-priority %d must be -1000 to 1000", f.maxPriority)}
	}
	if (f.tlsCert == "") != (f.tlsKey == "") {
		return usageError{errors.New("set both --tls-cert and --tls-key, or neither")}
	}
	if f.uploads < 1 || f.rate < 0 || f.maxProgram < 1 || f.maxUpload < 1 {
		return usageError{errors.New("--uploads, --max-program and --max-upload must be positive, and --rate can't be negative")}
	}
	for _, place := range f.allow {
		if !strings.Contains(place, "://") {
			return usageError{fmt.Errorf("--allow %q: use a URL such as s3://bucket/prefix", place)}
		}
		if _, err := objstore.ParseURL(place); err != nil {
			return usageError{fmt.Errorf("--allow: %w", err)}
		}
	}
	f.admitted, err = f.readTokens()
	return err
}

// names returns the host names that clients may use for the server.
func (f *apiFlags) names() []string {
	names := slices.Clone(f.hosts)
	if host, _, err := net.SplitHostPort(f.listen); err == nil && host != "" {
		names = append(names, host)
	}
	return names
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// controllerFlags are the settings of a controller.
type controllerFlags struct {
	serviceFlags
	api        apiFlags
	webhook    webhookFlags
	interval   time.Duration
	history    time.Duration
	keepFailed time.Duration
	maxTasks   int
	noBackup   bool
}

func newControllerCommand() *cobra.Command {
	f := &controllerFlags{}
	cmd := &cobra.Command{
		Use:   "controller --redis URL --store s3://BUCKET[/PREFIX]",
		Short: "Serve the HTTP API, plan jobs, and finish them",
		Long: `Controller serves the HTTP API and drives jobs: it plans them, reassigns the tasks of executors that
no longer answer, publishes output and cleans up. It is stateless: run one, or several behind a load
balancer, and stop them at any time.

Every setting is also read from BUCKETMILL_NAME and from --config FILE.`,
		Args: exactArgs(0, "no arguments"),
	}
	fs := cmd.Flags()
	f.register(fs)
	f.api.register(fs)
	f.webhook.register(fs)
	fs.DurationVar(&f.interval, "interval", time.Second, "time between two sweeps of leases; at least 1s")
	fs.DurationVar(&f.history, "history", 7*24*time.Hour, "how long the records of ended jobs are kept")
	fs.BoolVar(&f.noBackup, "no-backup", false, "start no backup attempts for tasks whose first attempt is much slower than others")
	fs.DurationVar(&f.keepFailed, "keep-failed", time.Hour, "how long a failed job may be retried")
	fs.IntVar(&f.maxTasks, "max-tasks", defaultMaxTasks, "most tasks of one job, map and reduce tasks together; 0: no limit")
	addConfig(cmd, f.check, func(cmd *cobra.Command) error { return f.run(cmd) })
	return cmd
}

// check checks all settings that can be checked without a request.
func (f *controllerFlags) check(ctx context.Context) error {
	if f.maxTasks < 0 {
		return usageError{fmt.Errorf("--max-tasks %d must be at least 0", f.maxTasks)}
	}
	if f.interval <= 0 || f.history <= 0 || f.keepFailed < 0 {
		return usageError{errors.New("--interval and --history must be positive, and --keep-failed can't be negative")}
	}
	return cmp.Or(f.validate(), f.api.validate(), f.checkStore(ctx))
}

func (f *controllerFlags) run(cmd *cobra.Command) (err error) {
	ctx, log := cmd.Context(), f.logger(cmd.ErrOrStderr())
	store, stores, err := f.reach(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = joinClose(err, store) }()
	registry := newRegistry(stores.Stats)
	ctrl, err := controller.New(ctx, controller.Config{
		Metrics: registry,
		ID:      processID(), Store: store, Open: stores.Open, Work: f.work, Limits: f.limits, Log: log,
		Interval: f.interval, History: f.history, KeepFailed: f.keepFailed, Notify: f.webhook.notify(log),
		Durable: true, MaxTasks: f.maxTasks, NoBackups: f.noBackup, Kinds: kinds.All().Jobs(),
	})
	if err != nil {
		return err
	}
	server, err := f.api.server(f.serviceFlags, ctrl, store, stores, registry, log, false)
	if err != nil {
		return err
	}
	listen := func(ctx context.Context) error { store.CallOnExpiry(ctx); return nil }
	return serveAll(ctx, ctrl.Run, listen, func(ctx context.Context) error { return f.api.serve(ctx, server, log, cmd.ErrOrStderr()) },
		func(ctx context.Context) error { return f.api.followTokens(ctx, server, log, onHangup(ctx)) })
}

// server returns the server of the API.
func (f *apiFlags) server(s serviceFlags, ctrl *controller.Controller, store *state.Store, stores *connect.Stores, registry *prometheus.Registry, log *slog.Logger, files bool) (*server.Server, error) {
	public := s.store
	if f.publicS3Endpoint != "" {
		public.endpoint = f.publicS3Endpoint
	}
	links, err := public.open()
	if err != nil {
		return nil, err
	}
	return server.New(server.Config{
		Store: store, Open: stores.Open, Work: s.work, Log: log, Version: version,
		Allow: f.allow, AllowFiles: files, Tokens: f.admitted, Hosts: f.names(),
		MaxJobs: f.maxJobs, MaxPriority: &f.maxPriority, MaxStreams: f.maxStreams,
		MaxProgram: int64(f.maxProgram), MaxUpload: int64(f.maxUpload), Uploads: f.uploads, Rate: f.rate,
		Kinds:        kinds.All().Jobs(),
		Metrics:      registry,
		Reports:      ctrl.Reports,
		Submit:       ctrl.SubmitFor,
		Delete:       ctrl.Delete,
		Retry:        ctrl.Retry,
		Restoring:    ctrl.Restoring,
		Presign:      presigner(links),
		EnsureBucket: stores.EnsureBucket,
		Buckets:      stores.Buckets,
		Ready:        func(ctx context.Context) error { return reachable(ctx, store, stores, s.work) },
	})
}

// presigner returns a function that makes links to objects, if the driver can.
func presigner(stores *connect.Stores) func(context.Context, string, string, time.Duration) (string, error) {
	return func(ctx context.Context, method, url string, expires time.Duration) (string, error) {
		b, key, err := stores.Open(ctx, url)
		if err != nil {
			return "", err
		}
		p, ok := b.(objstore.Presigner)
		if !ok {
			return "", fmt.Errorf("make a link to %s: %w", b.URL(), objstore.ErrNotSupported)
		}
		return p.Presign(ctx, method, key, expires)
	}
}

// drainTime is how long running requests may take after the server is told to stop.
const drainTime = 5 * time.Second

// serve answers requests until ctx ends. messages are for the person who started the server.
func (f *apiFlags) serve(ctx context.Context, server *server.Server, log *slog.Logger, messages io.Writer) (err error) {
	s := server.HTTPServer(f.listen)
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", f.listen)
	if err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}
	scheme := "http"
	if f.tlsCert != "" {
		scheme = "https"
		s.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	address := scheme + "://" + listener.Addr().String()
	log.Info("controller is ready", "api", address, "version", version)
	if f.secret != "" {
		forget, err := announceLocalToken(listener.Addr().String(), f.secret, messages)
		if err != nil {
			return errors.Join(fmt.Errorf("announce the token: %w", err), listener.Close())
		}
		defer func() { err = errors.Join(err, forget()) }()
	}
	if !f.authenticates() {
		log.Warn("the API requires no token: everyone who reaches it may do everything, and run programs as this user (see --tokens)", "api", address)
	}
	served := make(chan error, 1)
	go func() {
		if f.tlsCert != "" {
			served <- s.ServeTLS(listener, f.tlsCert, f.tlsKey)
			return
		}
		served <- s.Serve(listener)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serve the API: %w", err)
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := s.Shutdown(draining); err != nil {
		err = errors.Join(err, s.Close())
		log.Warn("some requests were cut off", "error", err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API: %w", err)
	}
	return nil
}
