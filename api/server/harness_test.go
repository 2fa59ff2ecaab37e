package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/objstore/connect"
	"github.com/bucketmill/bucketmill/objstore/file"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/state/embedded"
)

// folders opens s3 URLs as folders below a root, one for each bucket.
type folders struct {
	root  string
	files *connect.Stores
	// wrap, if set, wraps every bucket that is opened.
	wrap func(objstore.Bucket) objstore.Bucket
}

func (f *folders) open(ctx context.Context, url string) (objstore.Bucket, string, error) {
	u, err := objstore.ParseURL(url)
	if err != nil {
		return nil, "", err
	}
	if u.Scheme == "file" {
		return f.files.Open(ctx, url)
	}
	b, err := file.Open(filepath.Join(f.root, u.Bucket))
	if err != nil {
		return nil, "", err
	}
	if f.wrap != nil {
		return f.wrap(b), u.Key, nil
	}
	return b, u.Key, nil
}

// service is a server on a real socket, with an embedded Redis and folders as its store.
type service struct {
	t       *testing.T
	store   *state.Store
	folders *folders
	url     string
	http    *http.Server
	log     *lockedBuffer

	mu    sync.Mutex
	conns map[net.Conn]bool // guarded by mu: the open ones
}

// dropConnections breaks every connection to the server.
func (s *service) dropConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close() // the server closes it, too
	}
}

// watch keeps track of connections, for dropConnections.
func (s *service) watch(conn net.Conn, now http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch now {
	case http.StateNew:
		s.conns[conn] = true
	case http.StateClosed, http.StateHijacked:
		delete(s.conns, conn)
	}
}

const work = "s3://work/bm"

// serve starts a server. Adjust, if not nil, changes its configuration.
func serve(t *testing.T, adjust func(*server.Config)) *service {
	t.Helper()
	redis, err := embedded.Start()
	must(t, err)
	t.Cleanup(redis.Close)
	store, err := state.Connect(t.Context(), redis.URL(), state.DefaultNamespace)
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	files, err := connect.New(connect.Config{})
	must(t, err)
	s := &service{t: t, store: store, folders: &folders{root: t.TempDir(), files: files}, log: new(lockedBuffer), conns: map[net.Conn]bool{}}
	cfg := server.Config{
		Store: store, Open: s.folders.open, Work: work, Version: "test",
		Log:   slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelInfo})),
		Kinds: kinds.All().Jobs(),
	}
	if adjust != nil {
		adjust(&cfg)
	}
	if cfg.Submit == nil {
		cfg.Submit = submitTo(cfg.Store)
	}
	server, err := server.New(cfg)
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.url = "http://" + listener.Addr().String()
	s.http = server.HTTPServer("")
	s.http.ConnState = s.watch
	ended := make(chan error, 1)
	go func() { ended <- s.http.Serve(listener) }()
	t.Cleanup(func() {
		// Shutdown waits 5 seconds for a connection that the client has opened and not used.
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		if err := s.http.Shutdown(ctx); err != nil {
			t.Errorf("requests are left: %v", err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server ended with %v", err)
		}
	})
	return s
}

// submitTo submits jobs as a controller does that is not durable.
func submitTo(store *state.Store) func(context.Context, string, job.ID, job.Spec) (bool, error) {
	return func(ctx context.Context, by string, id job.ID, spec job.Spec) (bool, error) {
		return controller.SubmitFor(ctx, store, by, id, spec)
	}
}

// work starts a controller and an executor.
func (s *service) work() {
	s.t.Helper()
	s.control(nil)
	s.execute()
}

// execute starts an executor.
func (s *service) execute() {
	s.t.Helper()
	log := slog.New(slog.NewTextHandler(s.log, nil))
	hand, err := executor.New(s.t.Context(), executor.Config{
		ID: "hand", Store: s.store, Open: s.folders.open, Work: work, Log: log, Slots: 2, Memory: 64 << 20,
		Scratch: filepath.Join(s.t.TempDir(), "scratch"), Heartbeat: 50 * time.Millisecond, KeepLogs: true,
		Version: "test",
	})
	must(s.t, err)
	s.background(hand.Run)
}

// control starts a controller. Adjust, if not nil, changes its configuration.
func (s *service) control(adjust func(*controller.Config)) *controller.Controller {
	s.t.Helper()
	cfg := controller.Config{
		Kinds: kinds.All().Jobs(),
		ID:    "boss", Store: s.store, Open: s.folders.open, Work: work, Log: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	if adjust != nil {
		adjust(&cfg)
	}
	boss, err := controller.New(s.t.Context(), cfg)
	must(s.t, err)
	s.background(boss.Run)
	return boss
}

// background runs until the test ends.
func (s *service) background(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var worker sync.WaitGroup
	worker.Go(func() {
		if err := run(ctx); err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(func() { cancel(); worker.Wait() })
}

// put writes an object.
func (s *service) put(url, text string) {
	s.t.Helper()
	b, key, err := s.folders.open(s.t.Context(), url)
	must(s.t, err)
	_, err = b.Put(s.t.Context(), key, []byte(text))
	must(s.t, err)
}

// client returns a client with a token.
func (s *service) client(token string) *client.Client {
	s.t.Helper()
	c, err := client.New(s.url, token, &http.Client{Transport: checking{s.t}})
	must(s.t, err)
	return c
}

// answer is the answer to a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// problem returns the answer's problem, and checks all its details.
func (a answer) problem(t *testing.T) api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	if a.header.Get("Content-Type") != "application/problem+json" || p.Status != a.status || p.Title == "" ||
		p.Type != "urn:bucketmill:problem:"+string(p.Code) || p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("%d %v is not a sound problem: %s", a.status, a.header, a.body)
	}
	return p
}

// ask sends a request. Headers are "Name: value".
func (s *service) ask(method, path, body string, headers ...string) answer {
	s.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, r)
	must(s.t, err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	resp, err := (&http.Client{Transport: checking{s.t}}).Do(req)
	must(s.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(s.t, err)
	return answer{status: resp.StatusCode, header: resp.Header, body: text}
}

// refused sends a request that must be refused with that code.
func (s *service) refused(code api.Code, method, path, body string, headers ...string) answer {
	s.t.Helper()
	a := s.ask(method, path, body, headers...)
	if a.status < 400 {
		s.t.Errorf("%s %s %.200s: answered %d %s, want %s", method, path, body, a.status, a.body, code)
		return a
	}
	if p := a.problem(s.t); p.Code != code {
		s.t.Errorf("%s %s %.200s: refused as %s, want %s: %s", method, path, body, p.Code, code, p.Detail)
	}
	return a
}

// submit creates a job from a spec and returns its id.
func (s *service) submit(spec string, headers ...string) job.ID {
	s.t.Helper()
	a := s.ask("POST", "/v1/jobs", spec, headers...)
	var j api.Submitted
	if err := json.Unmarshal(a.body, &j); err != nil || a.status != http.StatusCreated || j.State != job.Submitted {
		s.t.Fatalf("%d %s, %v", a.status, a.body, err)
	}
	if got := a.header.Get("Location"); got != "/v1/jobs/"+string(j.ID) {
		s.t.Errorf("location is %s", got)
	}
	return j.ID
}

// lockedBuffer collects a log.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// wordcount is a spec of a job over s3://inbox/books.
const wordcount = `{"name":"wc","program":"wordcount","input":["s3://inbox/books/*.txt"],"output":"s3://outbox/wc","reducers":2,"split_size":"16","params":{}}`

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
