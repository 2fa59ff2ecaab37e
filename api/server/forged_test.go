package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/job"
)

// A caller that may write to an output can't make the server read anything else: _SUCCESS is not
// trusted.
func TestForgedSuccessLeadsNowhere(t *testing.T) {
	presigned := ""
	s := serve(t, func(c *server.Config) {
		c.Allow = []string{"s3://inbox", "s3://outbox/wc"}
		c.Presign = func(_ context.Context, method, url string, _ time.Duration) (string, error) {
			presigned += url + " "
			return method + " " + url, nil
		}
	})
	id := s.completed("one\n")
	path := "/v1/jobs/" + string(id) + "/results"
	if a := s.ask("GET", path, ""); string(a.body) != "one\n" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	const secret = "secret\n"
	for _, place := range []string{"s3://outbox/private/s.txt", "s3://outbox/s.txt", "s3://work/bm/jobs/j/job.json", "s3://outbox/wc/_skipped/m0.jsonl", "s3://outbox/wc/part-00001"} {
		s.put(place, secret)
	}
	for _, name := range []string{
		"../private/s.txt", "../s.txt", "/../s.txt", "part-00000/../../s.txt", "../../work/bm/jobs/j/job.json", "./part-00000", "part-00001", "_skipped/m0.jsonl", "", ".", "..",
		"part-00000/", "PART-00000", "s3://outbox/s.txt", "..\\s.txt",
	} {
		s.put("s3://outbox/wc/_SUCCESS", fmt.Sprintf(`{"job":%q,"parts":[{"name":%q,"bytes":%d,"records":1,"checksum":"xxh64:%016x"}]}`, id, name, len(secret), xxhash.Sum64String(secret)))
		for _, query := range []string{"", "?part=0", "/links", "/links?part=0"} {
			if a := s.refused(api.CodeOutputChanged, "GET", path+query, ""); strings.Contains(string(a.body), "secret") {
				t.Errorf("%q%s: %s", name, query, a.body)
			}
		}
	}
	if presigned != "" {
		t.Errorf("links were made to %s", presigned)
	}
	// Nor does a large one fill the server's memory, as package state tests.
	s.put("s3://outbox/wc/_SUCCESS", fmt.Sprintf(`{"job":%q,"name":"%s`, id, strings.Repeat("x", 1<<20)))
	s.refused(api.CodeOutputChanged, "GET", path, "")
}

// Only callers that may read the output now get the results.
func TestResultsKeepToTheAllowList(t *testing.T) {
	s := serve(t, nil)
	id := s.completed("one\n")
	for allow, status := range map[string]int{"s3://outbox": 200, "s3://outbox/wc": 200, "s3://outbox/wc/": 200, "s3://outbox/w": 403, "s3://outbox/wc/part-00000": 403, "s3://inbox": 403} {
		narrowed, err := server.New(server.Config{Kinds: kinds.All().Jobs(), Store: s.store, Open: s.folders.open, Work: work, Log: slog.New(slog.DiscardHandler), Allow: []string{allow}})
		must(t, err)
		w := httptest.NewRecorder()
		narrowed.Handler().ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/v1/jobs/"+string(id)+"/results", nil))
		if w.Code != status {
			t.Errorf("--allow %s: %d %s", allow, w.Code, w.Body)
		}
	}
}

// Only callers that may read the inputs and write the output now can retry a job.
func TestRetryKeepsToTheAllowList(t *testing.T) {
	s := serve(t, nil)
	id := s.submit(wordcount)
	for allow, status := range map[string]int{"s3://inbox,s3://outbox": 200, "s3://inbox": 403, "s3://outbox": 403, "s3://other": 403} {
		narrowed, err := server.New(server.Config{
			Kinds: kinds.All().Jobs(),
			Store: s.store, Open: s.folders.open, Work: work, Log: slog.New(slog.DiscardHandler), Allow: strings.Split(allow, ","),
			Retry: func(context.Context, job.ID) error { return nil },
		})
		must(t, err)
		w := httptest.NewRecorder()
		narrowed.Handler().ServeHTTP(w, httptest.NewRequest("POST", "http://localhost/v1/jobs/"+string(id)+"/retry", nil))
		if w.Code != status {
			t.Errorf("--allow %s: %d %s", allow, w.Code, w.Body)
		}
	}
}
