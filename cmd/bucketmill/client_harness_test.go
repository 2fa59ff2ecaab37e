package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
	"github.com/bucketmill/bucketmill/objstore/file"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/state/embedded"
)

// testServer is an API server on a real socket, over an embedded Redis and folders for buckets.
type testServer struct {
	t     *testing.T
	url   string
	root  string // has a folder for each bucket
	files *connect.Stores
	store *state.Store
	ctrl  *controller.Controller
	api   *server.Server
	log   *slog.Logger

	registry *prometheus.Registry // of all services
}

const serverWork = "s3://work/bm"

// serverLimits make a job fail soon.
var serverLimits = state.Limits{User: 2, Infra: 2, Lost: 2, Backoff: time.Millisecond}

// serve starts a server and, unless it is idle, a controller and an executor. adjust, if not nil,
// changes the configuration.
func serve(t *testing.T, idle bool, adjust func(*server.Config)) *testServer {
	t.Helper()
	redis, err := embedded.Start()
	must(t, err)
	t.Cleanup(redis.Close)
	s := &testServer{t: t, root: t.TempDir(), log: slog.New(slog.DiscardHandler)}
	s.files, err = connect.New(connect.Config{})
	must(t, err)
	s.registry = newRegistry(s.files.Stats)
	s.store, err = state.Connect(t.Context(), redis.URL(), state.DefaultNamespace)
	must(t, err)
	t.Cleanup(func() { must(t, s.store.Close()) })
	s.ctrl, err = controller.New(t.Context(), controller.Config{
		Kinds: kinds.All().Jobs(),
		ID:    "ctrl", Store: s.store, Open: s.open, Work: serverWork, Log: s.log, Limits: serverLimits, KeepFailed: time.Hour,
		Metrics: s.registry,
	})
	must(t, err)
	cfg := server.Config{
		Kinds: kinds.All().Jobs(),
		Store: s.store, Open: s.open, Work: serverWork, Log: s.log,
		Submit: s.ctrl.SubmitFor, Retry: s.ctrl.Retry, Delete: s.ctrl.Delete,
		Metrics: s.registry, Reports: s.ctrl.Reports,
		EnsureBucket: s.ensureBucket, Buckets: s.buckets,
	}
	if adjust != nil {
		adjust(&cfg)
	}
	s.api, err = server.New(cfg)
	must(t, err)
	s.listen()
	if !idle {
		s.work()
	}
	return s
}

// open opens a bucket's folder.
func (s *testServer) open(ctx context.Context, location string) (objstore.Bucket, string, error) {
	u, err := objstore.ParseURL(location)
	if err != nil {
		return nil, "", err
	}
	if u.Scheme == "file" { // the URL is from a bucket's listing
		return s.files.Open(ctx, location)
	}
	b, err := file.Open(filepath.Join(s.root, u.Bucket))
	return b, u.Key, err
}

// ensureBucket makes a bucket's folder.
func (s *testServer) ensureBucket(_ context.Context, location string) error {
	u, err := objstore.ParseURL(location)
	return errors.Join(err, os.MkdirAll(filepath.Join(s.root, u.Bucket), 0o755))
}

func (s *testServer) buckets(context.Context) (names []string, err error) {
	entries, err := os.ReadDir(s.root)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (s *testServer) listen() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(s.t, err)
	s.url = "http://" + listener.Addr().String()
	web := s.api.HTTPServer("")
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(listener) }()
	s.t.Cleanup(func() {
		must(s.t, web.Close())
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			s.t.Errorf("the server ended with %v", err)
		}
	})
}

// work starts the controller and an executor.
func (s *testServer) work() {
	hand, err := executor.New(s.t.Context(), executor.Config{
		ID: "hand", Store: s.store, Open: s.open, Work: serverWork, Log: s.log, Slots: 2, Memory: 64 << 20,
		Scratch: filepath.Join(s.t.TempDir(), "scratch"), Heartbeat: 50 * time.Millisecond, KeepLogs: true,
		Limits: serverLimits, Version: "test", Metrics: s.registry,
	})
	must(s.t, err)
	ctx, cancel := context.WithCancel(context.Background()) // ended before the server that it uses
	var workers sync.WaitGroup
	for _, run := range []func(context.Context) error{s.ctrl.Run, hand.Run} {
		workers.Go(func() {
			if err := run(ctx); err != nil {
				s.t.Error(err)
			}
		})
	}
	s.t.Cleanup(func() { cancel(); workers.Wait() })
}

// put writes an object.
func (s *testServer) put(location, text string) {
	s.t.Helper()
	b, key, err := s.open(s.t.Context(), location)
	must(s.t, err)
	_, err = b.Put(s.t.Context(), key, []byte(text))
	must(s.t, err)
}

// command runs a client command.
func (s *testServer) command(args ...string) result {
	return command(s.t.Context(), append(args, "--server", s.url)...)
}

// must runs a client command that succeeds, and returns what it prints.
func (s *testServer) must(args ...string) string {
	s.t.Helper()
	r := s.command(args...)
	if r.code != exitDone {
		s.t.Fatalf("%q: exit code %d\n%s%s", args, r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// json runs a client command with --json and reads its answer.
func (s *testServer) json(answer any, args ...string) {
	s.t.Helper()
	text := s.must(append(args, "--json")...)
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(answer); err != nil || d.More() {
		s.t.Fatalf("%q: %v in %s", args, err, text)
	}
}

// submit submits a word count and returns its id.
func (s *testServer) submit(args ...string) string {
	s.t.Helper()
	return strings.TrimSpace(s.must(append([]string{
		"submit", "wordcount", "--name", "wc", "-i", "s3://inbox/books/*.txt", "-o", "s3://outbox/wc",
	}, args...)...))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
