package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// raw sends text on a new connection and returns the answer's status and problem.
func (s *service) raw(text string) (answer, io.Reader) {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	must(s.t, err)
	s.t.Cleanup(func() { _ = conn.Close() }) // closed by the server already
	must(s.t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(conn, text)
	must(s.t, err)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	must(s.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(s.t, err)
	return answer{status: resp.StatusCode, header: resp.Header, body: body}, r
}

func TestSlowBodiesAreCut(t *testing.T) {
	s := serve(t, func(c *server.Config) { c.BodyGrace = 100 * time.Millisecond })
	for _, request := range []string{
		"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100\r\n\r\n--b\r\n",
		"PUT /v1/objects/inbox/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
	} {
		a, rest := s.raw(request)
		if p := a.problem(t); a.status != http.StatusRequestTimeout || p.Code != api.CodeBodyTooSlow {
			t.Errorf("%.40s: %d %s", request, a.status, a.body)
		}
		if n, err := rest.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("%.40s: the connection stays open", request)
		}
	}
	// A body that no handler reads has a deadline, too: the answer comes at once, and then the
	// connection ends.
	a, rest := s.raw("POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
	if n, err := rest.Read(make([]byte, 1)); a.status != http.StatusNotFound || n > 0 || err == nil {
		t.Errorf("%d, and the connection stays open", a.status)
	}
	s.refused(api.CodeObjectNotFound, "GET", "/v1/objects/inbox/x", "")
}

// A request that takes longer than a body may does not count as slow.
func TestSlowAnswersAreNotCut(t *testing.T) {
	const grace = 50 * time.Millisecond
	s := serve(t, func(c *server.Config) {
		c.BodyGrace = grace
	})
	s.folders.wrap = func(b objstore.Bucket) objstore.Bucket { return slowCommit{b, 4 * grace} }
	if a := s.ask("PUT", "/v1/objects/inbox/x", "text"); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// slowCommit is a bucket that commits slowly.
type slowCommit struct {
	objstore.Bucket
	delay time.Duration
}

func (b slowCommit) Create(ctx context.Context, key string) (objstore.Writer, error) {
	w, err := b.Bucket.Create(ctx, key)
	return slowWriter{w, ctx, b.delay}, err
}

type slowWriter struct {
	objstore.Writer
	ctx   context.Context
	delay time.Duration
}

func (w slowWriter) Commit() (objstore.Object, error) {
	select { // a client that leaves would end ctx
	case <-w.ctx.Done():
		return objstore.Object{}, w.ctx.Err()
	case <-time.After(w.delay):
	}
	return w.Writer.Commit()
}

// signalling signals when an upload has begun.
type signalling struct {
	objstore.Bucket
	begun chan<- string
}

func (b signalling) Create(ctx context.Context, key string) (objstore.Writer, error) {
	b.begun <- key
	return b.Bucket.Create(ctx, key)
}

// received waits for a signal that must come.
func received(t *testing.T, signal <-chan string) {
	t.Helper()
	select {
	case <-signal:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing has begun")
	}
}

// A client that waits with the body for 100 Continue gets a refusal at once.
func TestUnwantedBodiesAreNotAwaited(t *testing.T) {
	s := serve(t, func(c *server.Config) { withTokens(c); c.BodyGrace = time.Hour })
	for _, request := range []string{
		"PUT /v1/objects/inbox/x HTTP/1.1\r\n", // no token
		"POST /v1/jobs HTTP/1.1\r\nAuthorization: Bearer bob's\r\n",
		"POST /v1/jobs HTTP/1.1\r\nAuthorization: Bearer bob's\r\nContent-Type: text/csv\r\n",
	} {
		a, _ := s.raw(request + "Host: localhost\r\nContent-Length: 9000000\r\nExpect: 100-continue\r\n\r\n")
		if a.status < 400 {
			t.Errorf("%q: %d", request, a.status)
		}
	}
}

func TestUploadsHavePlaces(t *testing.T) {
	s := serve(t, func(c *server.Config) { c.Uploads = 1 })
	begun := make(chan string, 1)
	s.folders.wrap = func(b objstore.Bucket) objstore.Bucket { return signalling{b, begun} }
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := s.client("").Put(t.Context(), "inbox", "slow", r, -1)
		done <- err
	}()
	received(t, begun)
	a := s.refused(api.CodeTooManyUploads, "PUT", "/v1/objects/inbox/x", "x")
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	body, header := form(t, "spec=s="+wordcount)
	s.refused(api.CodeTooManyUploads, "POST", "/v1/jobs", body, header)
	s.submit(wordcount) // is not an upload
	_, err := io.WriteString(w, "text")
	must(t, err)
	must(t, w.Close())
	must(t, <-done)
	if a := s.ask("PUT", "/v1/objects/inbox/x", "x"); a.status != http.StatusCreated {
		t.Errorf("with the place free again: %d %s", a.status, a.body)
	}
}

// A request that breaks off leaves nothing, neither an object nor an upload.
func TestBrokenUpload(t *testing.T) {
	s := serve(t, nil)
	begun := make(chan string, 1)
	s.folders.wrap = func(b objstore.Bucket) objstore.Bucket { return signalling{b, begun} }
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	must(t, err)
	_, err = io.WriteString(conn, "PUT /v1/objects/inbox/half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
	must(t, err)
	received(t, begun)
	must(t, conn.Close())
	must(t, s.http.Shutdown(t.Context())) // which waits for the request
	b, _, err := s.folders.open(t.Context(), "s3://inbox/")
	must(t, err)
	for o, err := range b.List(t.Context(), "") {
		t.Errorf("%+v, %v is left", o, err)
	}
	for u, err := range b.Uploads(t.Context(), "") {
		t.Errorf("%+v, %v is left", u, err)
	}
}

func TestRate(t *testing.T) {
	s := serve(t, func(c *server.Config) { c.Rate, c.Burst = 0.01, 3 })
	for range 3 {
		if a := s.ask("GET", "/v1/jobs", ""); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	a := s.refused(api.CodeRateLimited, "GET", "/v1/jobs", "")
	if wait := a.header.Get("Retry-After"); a.status != http.StatusTooManyRequests || len(wait) < 2 {
		t.Errorf("%d, retry after %q", a.status, wait)
	}
	if a := s.ask("GET", "/healthz", ""); a.status != http.StatusOK {
		t.Errorf("a probe: %d", a.status)
	}
}

func TestRequestIDs(t *testing.T) {
	s := serve(t, nil)
	for sent, kept := range map[string]bool{"abc-1/2": true, "": false, "a b": false, strings.Repeat("x", 200): false, "ü": false} {
		got := s.ask("GET", "/healthz", "", "X-Request-Id: "+sent).header.Get("X-Request-Id")
		if (got == sent) != kept || got == "" {
			t.Errorf("%q became %q", sent, got)
		}
	}
}

func TestPanicsAreProblems(t *testing.T) {
	s := serve(t, func(c *server.Config) {
		c.Kinds = job.Kinds{{Name: "builtin", CheckSpec: func(*job.Spec) error { panic("secret") }}}
	})
	a := s.refused(api.CodeInternal, "POST", "/v1/jobs", wordcount)
	log := s.log.String()
	if strings.Contains(string(a.body), "secret") || strings.Count(log, "panic: secret") != 1 || strings.Count(log, "level=ERROR") != 1 {
		t.Errorf("answered %s, logged %s", a.body, log)
	}
}

func TestRedisIsGone(t *testing.T) {
	gone := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { must(t, gone.Close()) })
	s := serve(t, func(c *server.Config) { c.Store = state.New(gone, state.DefaultNamespace) })
	a := s.refused(api.CodeNotReady, "GET", "/readyz", "")
	if strings.Contains(string(a.body), "127.0.0.1") {
		t.Errorf("the answer shows the address: %s", a.body)
	}
	s.refused(api.CodeStateUnavailable, "GET", "/v1/jobs/x", "")
	if a := s.ask("GET", "/healthz", ""); a.status != http.StatusOK {
		t.Errorf("alive: %d", a.status)
	}
}

func TestServerTimes(t *testing.T) {
	s := serve(t, nil)
	if s.http.ReadHeaderTimeout == 0 || s.http.IdleTimeout == 0 || s.http.MaxHeaderBytes == 0 {
		t.Error("nothing bounds a request's header")
	}
	a := s.ask("GET", "/healthz", "", fmt.Sprintf("X-Long: %s", strings.Repeat("x", 100<<10)))
	if a.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long header: %d", a.status)
	}
}
