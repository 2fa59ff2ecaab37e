package client

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/job"
)

// answering serves the answers in order, repeats the last, and counts the requests.
func answering(t *testing.T, answers ...http.HandlerFunc) (*Client, *atomic.Int32) {
	t.Helper()
	asked := new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers[min(int(asked.Add(1)), len(answers))-1](w, r)
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL+"/", "secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, asked
}

func problem(status int, code api.Code) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"status":%d,"code":%q,"detail":"so it is"}`, status, code)
	}
}

func text200(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

func TestBusyServerIsAskedAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.py")
	if err := os.WriteFile(file, []byte("pass"), 0o600); err != nil {
		t.Fatal(err)
	}
	var keys, bodies []string
	record := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			keys = append(keys, r.Header.Get("Idempotency-Key")+r.Header.Get("Authorization"))
			body, err := io.ReadAll(r.Body)
			bodies = append(bodies, string(body)+fmt.Sprint(err))
			next(w, r)
		}
	}
	c, asked := answering(t, record(problem(503, api.CodeTooManyUploads)), record(text200(`{"id":"j","state":"SUBMITTED"}`)))
	job, err := c.Submit(t.Context(), Submission{Spec: job.Spec{Output: "s3://o"}, ProgramPath: file})
	if err != nil || job.ID != "j" || asked.Load() != 2 {
		t.Fatalf("%+v, %v after %d requests", job, err, asked.Load())
	}
	if keys[0] != keys[1] || !strings.HasSuffix(keys[0], "Bearer secret") || len(keys[0]) < 30 {
		t.Errorf("keys %q", keys)
	}
	if bodies[0] != bodies[1] || !strings.Contains(bodies[0], "pass") || !strings.Contains(bodies[0], `"program":"p.py"`) {
		t.Errorf("bodies %q", bodies)
	}
}

// A client that knows of a job waits for it; any other client believes at once that the job is
// gone.
func TestKnownJobIsWaitedFor(t *testing.T) {
	gone, there := problem(404, api.CodeJobNotFound), text200(`{"id":"j"}`)
	c, asked := answering(t, gone, problem(503, api.CodeStateUnavailable), gone, there)
	told := 0
	knows := c.Knowing(func(error) { told++ })
	if job, err := knows.Job(t.Context(), "j"); err != nil || job.ID != "j" || asked.Load() != 4 || told != 1 {
		t.Errorf("%+v, %v after %d requests, told %d times", job, err, asked.Load(), told)
	}
	c, asked = answering(t, gone)
	knows = c.Knowing(nil)
	knows.known.atMost = 50 * time.Millisecond
	var p *api.Problem
	if _, err := knows.Job(t.Context(), "j"); !errors.As(err, &p) || p.Code != api.CodeJobNotFound || asked.Load() < 2 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
	for _, err := range knows.Events(t.Context(), "j", "") {
		if !errors.As(err, &p) || p.Code != api.CodeJobNotFound {
			t.Error(err)
		}
	}
	c, asked = answering(t, problem(404, api.CodeObjectNotFound))
	if _, err := c.Knowing(nil).Job(t.Context(), "j"); err == nil || asked.Load() != 1 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
}

func TestErrors(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"problem": problem(404, api.CodeJobNotFound),
		"proxy":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		},
	} {
		c, asked := answering(t, answer)
		_, err := c.Job(t.Context(), "j")
		var p *api.Problem
		if !errors.As(err, &p) || p.Status == 0 || (p.Code == api.CodeJobNotFound) != (name == "problem") || asked.Load() != 1 {
			t.Errorf("%s: %v after %d requests", name, err, asked.Load())
		}
	}
	c, _ := answering(t, text200("not json"))
	if _, err := c.Job(t.Context(), "j"); err == nil {
		t.Error("an answer that is not JSON is accepted")
	}
	for _, server := range []string{"", "ftp://x", "http://", "http://user:secret@x", "http://x?y=1", "http://[::1"} {
		if _, err := New(server, "", nil); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", server, err)
		}
	}
}

// Results that could end early unnoticed are refused.
func TestResultsNeedALength(t *testing.T) {
	c, _ := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
	})
	if r, err := c.Results(t.Context(), "j"); err == nil {
		t.Error("a stream of unknown length is accepted", r.Close())
	}
}

// A broken stream is resumed where it broke, unless the object has changed or resuming never helps.
func TestResultsGoOn(t *testing.T) {
	const text = "0123456789"
	var ranges []string
	answer := func(etag string, most int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			ranges = append(ranges, r.Header.Get("Range"))
			from := 0
			if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil && r.Header.Get("If-Range") == etag {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-9/10", from))
			} else {
				from = 0
			}
			w.Header().Set("ETag", etag)
			w.Header().Set("Content-Length", fmt.Sprint(len(text)-from))
			if w.Header().Get("Content-Range") != "" {
				w.WriteHeader(http.StatusPartialContent)
			}
			_, _ = io.WriteString(w, text[from:min(from+most, len(text))])
			_ = http.NewResponseController(w).Flush()
			if from+most < len(text) {
				panic(http.ErrAbortHandler)
			}
		}
	}
	read := func(answers ...http.HandlerFunc) (string, error) {
		ranges = nil
		c, _ := answering(t, answers...)
		r, err := c.Results(t.Context(), "j")
		if err != nil {
			return "", err
		}
		got, err := io.ReadAll(r)
		return string(got), errors.Join(err, r.Close())
	}
	if got, err := read(answer(`"a"`, 4), answer(`"a"`, 3), answer(`"a"`, 100)); got != text || err != nil || fmt.Sprint(ranges) != "[ bytes=4- bytes=7-]" {
		t.Errorf("%q, %v by %q", got, err, ranges)
	}
	if got, err := read(answer(`"a"`, 4), answer(`"b"`, 100)); got != text[:4] || err == nil {
		t.Errorf("%q, %v though it is another", got, err)
	}
	var p *api.Problem
	if got, err := read(answer(`"a"`, 4), problem(409, api.CodeOutputChanged)); got != text[:4] || !errors.As(err, &p) || p.Code != api.CodeOutputChanged {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := read(answer(`"a"`, 4), answer(`"a"`, 0)); got != text[:4] || err == nil || len(ranges) != 1+maxResumes {
		t.Errorf("%q, %v after %d requests", got, err, len(ranges))
	}
}

func TestEventsComeBack(t *testing.T) {
	var after []string
	stream := func(events string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			after = append(after, r.Header.Get("Last-Event-ID"))
			_, _ = io.WriteString(w, events)
		}
	}
	event := func(id, kind string) string {
		return fmt.Sprintf("id: %s\nevent: %s\ndata: {\"id\":%q,\"type\":%q}\n\n", id, kind, id, kind)
	}
	c, _ := answering(t,
		stream(": hello\n\n"+event("1-0", "state")+"data: {\"type\":\"progress\"}\n\nid: 2-0\nda"),
		problem(503, api.CodeStateUnavailable),
		stream(event("2-0", "phase")),
		stream(event("3-0", "ended")))
	var saw []string
	for e, err := range c.Events(t.Context(), "j", "") {
		if err != nil {
			t.Fatal(err)
		}
		saw = append(saw, e.ID+e.Type)
	}
	if got := strings.Join(saw, " "); got != "1-0state progress 2-0phase 3-0ended" {
		t.Errorf("saw %s", got)
	}
	if got := strings.Join(after, " "); got != " 1-0 2-0" {
		t.Errorf("asked for what is after %q", got)
	}

	c, asked := answering(t, problem(404, api.CodeJobNotFound))
	for _, err := range c.Events(t.Context(), "j", "") {
		var p *api.Problem
		if !errors.As(err, &p) || p.Code != api.CodeJobNotFound {
			t.Errorf("%v", err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times for a job that is not there", asked.Load())
	}
}

// Room for another job may take hours to come, so nobody is left waiting for that without a word.
func TestTooManyJobsIsToldAtOnce(t *testing.T) {
	c, asked := answering(t, problem(429, api.CodeTooManyJobs), text200(`{"id":"j","state":"SUBMITTED"}`))
	_, err := c.Submit(t.Context(), Submission{Spec: job.Spec{Output: "s3://o"}})
	var p *api.Problem
	if !errors.As(err, &p) || p.Code != api.CodeTooManyJobs || asked.Load() != 1 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
}

// A deletion whose answer was lost has done what was asked.
func TestDeletionIsRepeated(t *testing.T) {
	c, asked := answering(t, problem(503, api.CodeStateUnavailable), problem(404, api.CodeJobNotFound))
	if err := c.DeleteJob(t.Context(), "j"); err != nil || asked.Load() != 2 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
	var p *api.Problem
	for _, code := range []api.Code{api.CodeJobNotFound, api.CodeJobNotEnded} {
		c, asked = answering(t, problem(409, code))
		if err := c.DeleteJob(t.Context(), "j"); !errors.As(err, &p) || p.Code != code || asked.Load() != 1 {
			t.Errorf("%v after %d requests", err, asked.Load())
		}
	}
}
