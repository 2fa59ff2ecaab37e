package server_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// stream opens a job's event stream.
func (s *service) stream(ctx context.Context, id job.ID, after string) *bufio.Reader {
	s.t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", s.url+"/v1/jobs/"+string(id)+"/events", nil)
	must(s.t, err)
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	resp, err := http.DefaultClient.Do(req)
	must(s.t, err)
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != "text/event-stream" {
		s.t.Fatalf("%d %s", resp.StatusCode, got)
	}
	return bufio.NewReader(resp.Body)
}

// until reads lines up to one that starts with prefix.
func until(t *testing.T, r *bufio.Reader, start string) (lines []string) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		must(t, err)
		lines = append(lines, strings.TrimSuffix(line, "\n"))
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			d, err := readDescription()
			must(t, err)
			must(t, d.valid("Event", []byte(data)))
		}
		if strings.HasPrefix(line, start) {
			return lines
		}
	}
}

func TestEventStream(t *testing.T) {
	s := serve(t, func(c *server.Config) { c.Heartbeat = 10 * time.Millisecond })
	id := s.submit(wordcount)
	r := s.stream(t.Context(), id, "")
	first := until(t, r, "data: ")
	if got := first[len(first)-2]; got != "event: state" || !strings.HasPrefix(first[len(first)-3], "id: ") {
		t.Errorf("the first event is %q", first)
	}
	until(t, r, ": ") // a heartbeat
	must(t, s.store.Stop(t.Context(), id, state.AnyStage, job.Failed, job.Failure{Class: job.ClassUser, Message: "no", Attempt: "m1.2", Log: "long"}))
	failed := until(t, r, "data: ")
	if got := failed[len(failed)-1]; !strings.Contains(got, `"state":"FAILED"`) || !strings.Contains(got, `"attempt":"m1.2"`) || strings.Contains(got, "long") {
		t.Errorf("failed: %s", got)
	}
	must(t, s.store.Forget(t.Context(), id, state.AnyStage, time.Hour))
	until(t, r, "event: ended")
	if _, err := io.ReadAll(r); err != nil {
		t.Errorf("after its end: %v", err)
	}
	// A client that reconnects gets the events since then, and the end only once.
	again, err := io.ReadAll(s.stream(t.Context(), id, strings.TrimPrefix(first[len(first)-3], "id: ")))
	must(t, err)
	if text := string(again); strings.Contains(text, "SUBMITTED") || !strings.Contains(text, "FAILED") || strings.Count(text, "event: ended") != 1 {
		t.Errorf("again: %s", text)
	}
	events := "/v1/jobs/" + string(id) + "/events"
	for _, odd := range []string{"x", "1-x", "1-2-3", "-1", "99999999999999999999", "1-", "1--1", "-", "", "+1-0", "1-0 "} {
		s.refused(api.CodeInvalidQuery, "GET", events+"?after="+url.QueryEscape(odd), "")
		if odd != strings.TrimSpace(odd) {
			continue // package http trims it
		}
		s.refused(api.CodeInvalidRequest, "GET", events, "", "Last-Event-ID: "+odd)
	}
	s.refused(api.CodeInvalidRequest, "GET", events, "", "Last-Event-ID: 1-0", "Last-Event-ID: 2-0")
	s.refused(api.CodeJobNotFound, "GET", "/v1/jobs/nope/events", "")
}

// A browser's EventSource reconnects when a stream ends, with the id of the last event that it has
// seen, until the answer is not a stream.
func TestBrowsersStopAfterTheEnd(t *testing.T) {
	s := serve(t, nil)
	id := s.submit(wordcount)
	must(t, s.store.Stop(t.Context(), id, state.AnyStage, job.Failed, job.Failure{Class: job.ClassUser, Message: "no"}))
	must(t, s.store.Forget(t.Context(), id, state.AnyStage, time.Hour))
	path := "/v1/jobs/" + string(id) + "/events"
	last, ends := "", 0
	for connection := 1; ; connection++ {
		var headers []string
		if last != "" {
			headers = append(headers, "Last-Event-ID: "+last)
		}
		a := s.ask("GET", path, "", headers...)
		if a.status != http.StatusOK {
			if a.status != http.StatusNoContent || connection != 2 || ends != 1 || len(a.body) > 0 {
				t.Errorf("connection %d after event %q: %d %s, and %d ends", connection, last, a.status, a.body, ends)
			}
			break
		}
		if connection > 5 {
			t.Fatalf("it comes back for ever; the last event is %q", last)
		}
		for line := range strings.Lines(string(a.body)) {
			if value, ok := strings.CutPrefix(line, "id: "); ok {
				last = strings.TrimSpace(value)
			}
			if line == "event: ended\n" {
				ends++
			}
		}
	}
	for _, after := range []string{last, "9999999999999", "9999999999999-5"} {
		if a := s.ask("GET", path+"?after="+after, ""); a.status != http.StatusNoContent {
			t.Errorf("after %s: %d %s", after, a.status, a.body)
		}
	}
	for e, err := range s.client("").Events(t.Context(), id, last) {
		if must(t, err); e.Type != api.EventEnded {
			t.Errorf("%+v", e)
		}
	}
	// A job that has not ended has further events.
	if a := s.ask("HEAD", "/v1/jobs/"+string(s.submit(wordcount))+"/events?after=9999999999999", ""); a.status != http.StatusOK {
		t.Errorf("%d", a.status)
	}
}

// The streams of a job end when its history is removed.
func TestForgottenJobEndsStream(t *testing.T) {
	s := serve(t, func(c *server.Config) { c.Returns = time.Millisecond })
	id := s.submit(wordcount)
	r := s.stream(t.Context(), id, "")
	until(t, r, "event: state")
	must(t, s.store.Stop(t.Context(), id, state.AnyStage, job.Cancelled, job.Failure{Class: job.ClassJob}))
	must(t, s.store.Forget(t.Context(), id, state.AnyStage, 0))
	until(t, r, "event: ended")
}

// When Redis loses a job, its streams wait for it and then continue; a client that reconnects
// meanwhile is answered that jobs are being restored.
func TestLostJobGoesOn(t *testing.T) {
	var restoring atomic.Bool
	s := serve(t, func(c *server.Config) {
		c.Restoring = func(context.Context) (bool, error) { return restoring.Load(), nil }
	})
	id := s.submit(wordcount)
	before, err := s.store.Job(t.Context(), id)
	must(t, err)
	r := s.stream(t.Context(), id, "")
	until(t, r, "event: state")
	restoring.Store(true)
	must(t, s.store.Drop(t.Context(), id))
	for _, path := range []string{"", "/tasks", "/counters", "/events", "/results"} {
		s.refused(api.CodeStateUnavailable, "GET", "/v1/jobs/"+string(id)+path, "")
	}
	restoring.Store(false)
	s.refused(api.CodeJobNotFound, "GET", "/v1/jobs/"+string(id), "")

	// A client that knows of the job waits for it.
	told := 0
	c := s.client("").Knowing(func(err error) {
		var p *api.Problem
		if told++; !errors.As(err, &p) || p.Code != api.CodeJobNotFound {
			t.Errorf("it waits because of %v", err)
		}
		must(t, s.store.Restore(t.Context(), "", id, before.Name, before.Priority, before.Spec, before.Submitted))
	})
	if j, err := c.Job(t.Context(), id); err != nil || j.State != job.Submitted || told != 1 {
		t.Errorf("%+v, %v; told %d times", j, err, told)
	}
	for _, line := range until(t, r, "event: restored") {
		if strings.Contains(line, "ended") {
			t.Errorf("the stream ends: %s", line)
		}
	}
	must(t, s.store.Stop(t.Context(), id, state.AnyStage, job.Cancelled, job.Failure{Class: job.ClassJob}))
	must(t, s.store.Forget(t.Context(), id, state.AnyStage, time.Hour))
	until(t, r, "event: ended")
}

// If the job is not restored, they end after a while.
func TestLostJobIsGivenUp(t *testing.T) {
	s := serve(t, func(c *server.Config) { c.Returns = time.Millisecond })
	id := s.submit(wordcount)
	r := s.stream(t.Context(), id, "")
	until(t, r, "event: state")
	must(t, s.store.Drop(t.Context(), id))
	until(t, r, "event: ended")
}

// A stream that breaks while Redis has lost its job can be continued.
func TestEventsOfALostJob(t *testing.T) {
	s := serve(t, nil)
	id := s.submit(wordcount)
	before, err := s.store.Job(t.Context(), id)
	must(t, err)
	told := 0
	c := s.client("").Knowing(func(error) {
		told++
		must(t, s.store.Restore(t.Context(), "", id, before.Name, before.Priority, before.Spec, before.Submitted))
		must(t, s.store.Stop(t.Context(), id, state.AnyStage, job.Cancelled, job.Failure{Class: job.ClassJob}))
		must(t, s.store.Forget(t.Context(), id, state.AnyStage, time.Hour))
	})
	var saw []string
	for e, err := range c.Events(t.Context(), id, "") {
		must(t, err)
		if e.Type == api.EventProgress {
			continue
		}
		if saw = append(saw, e.Type+string(e.State)); len(saw) == 1 {
			must(t, s.store.Drop(t.Context(), id))
			s.dropConnections()
		}
	}
	if got := strings.Join(saw, " "); got != "stateSUBMITTED restored stateCANCELLED ended" || told != 1 {
		t.Errorf("saw %s; told %d times", got, told)
	}
}

// A server that stops ends its streams, and clients continue at the next one.
func TestStreamsGoOnElsewhere(t *testing.T) {
	s := serve(t, nil)
	id := s.submit(wordcount)
	c := s.client("")
	var saw []string
	for e, err := range c.Events(t.Context(), id, "") {
		must(t, err)
		if e.Type == api.EventProgress {
			continue
		}
		saw = append(saw, e.Type)
		if len(saw) == 1 {
			s.dropConnections()
			must(t, s.store.Stop(t.Context(), id, state.AnyStage, job.Cancelled, job.Failure{Class: job.ClassJob}))
			must(t, s.store.Forget(t.Context(), id, state.AnyStage, time.Hour))
		}
	}
	if !slices.Equal(saw, []string{"state", "state", "ended"}) {
		t.Errorf("saw %q", saw)
	}

	other := s.submit(wordcount)
	r := s.stream(t.Context(), other, "")
	until(t, r, "event: state")
	must(t, s.http.Shutdown(t.Context())) // would wait for the stream otherwise
	if rest, err := io.ReadAll(r); err != nil || strings.Contains(string(rest), "ended") {
		t.Errorf("the stream ended with %q, %v", rest, err)
	}
}
