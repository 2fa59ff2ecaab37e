package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bucketmill/bucketmill/api"
)

// A command waits for a job that Redis has lost and that is restored, from its submission on, and
// says so.
func TestSubmitWaitsForALostJob(t *testing.T) {
	t.Parallel()
	const (
		gone  = `{"status":404,"code":"job_not_found","title":"No such job","detail":"read job j: no such job"}`
		whole = `{"id":"j","name":"wc","state":"COMPLETED","phase":"ended","output":"s3://out","times":{},"spec":{"program":"wordcount","output":"s3://out"},"progress":{"map":{"total":1,"done":1},"reduce":{}}}`
	)
	var asked atomic.Int32
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		missing := asked.Add(1)%2 == 0 // every second answer
		switch {
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"id":"j","state":"SUBMITTED"}`)
		case missing:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, gone)
		case strings.HasSuffix(r.URL.Path, "/events"):
			_, _ = fmt.Fprintf(w, "id: 1-0\nevent: state\ndata: {\"id\":\"1-0\",\"type\":%q,\"state\":\"COMPLETED\"}\n\n", api.EventState)
		case strings.HasSuffix(r.URL.Path, "/results"):
			_, _ = io.WriteString(w, "be\t2\n")
		default:
			_, _ = io.WriteString(w, whole)
		}
	}))
	t.Cleanup(web.Close)
	r := command(t.Context(), "submit", "wordcount", "-i", "s3://inbox/", "-o", "s3://out/", "--wait", "--server", web.URL)
	if r.code != exitDone || !strings.Contains(r.stdout, "COMPLETED") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if n := strings.Count(r.stderr, "Waiting for that"); n != 1 || !strings.Contains(r.stderr, "does not find job j: read job j: no such job") {
		t.Errorf("it was said %d times: %s", n, r.stderr)
	}
	// It does not wait for an unknown job.
	for _, args := range [][]string{{"status", "j", "--watch"}, {"events", "j", "--follow"}} {
		asked.Store(1)
		if r := command(t.Context(), append(args, "--server", web.URL)...); r.code != exitFailed || strings.Contains(r.stderr, "Waiting") {
			t.Errorf("%q: exit code %d: %s", args, r.code, r.stderr)
		}
	}
}
