package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// completed makes a job that looks as if it had written these parts.
func (s *service) completed(parts ...string) job.ID {
	s.t.Helper()
	id := s.submit(wordcount)
	ctx := s.t.Context()
	plan, err := layout.Plan{Spread: 1, PageSize: 1}.Encode()
	must(s.t, err)
	must(s.t, s.store.Start(ctx, id, state.Outline{Maps: len(parts), Reduces: 0, Plan: plan}))
	claimed, err := s.store.Claim(ctx, "me", len(parts), time.Minute)
	must(s.t, err)
	for _, c := range claimed {
		must(s.t, s.store.Commit(ctx, c.Attempt, "me", []byte("m"), nil))
	}
	must(s.t, s.store.Finish(ctx, id, state.AnyStage))
	success := layout.Success{Job: id}
	for i, text := range parts {
		s.put("s3://outbox/wc/"+layout.PartName(i), text)
		success.Parts = append(success.Parts, layout.SuccessPart{
			Name: layout.PartName(i), Bytes: int64(len(text)), Records: 1,
			Checksum: fmt.Sprintf("xxh64:%016x", xxhash.Sum64String(text)),
		})
	}
	text, err := success.Encode()
	must(s.t, err)
	s.put("s3://outbox/wc/_SUCCESS", string(text))
	return id
}

func TestResults(t *testing.T) {
	s := serve(t, func(c *server.Config) {
		c.Presign = func(_ context.Context, method, url string, _ time.Duration) (string, error) {
			return method + " " + url, nil
		}
	})
	path := "/v1/jobs/" + string(s.completed("one\n", "", "x", "three\n")) + "/results"
	for query, want := range map[string]string{"": "one\nxthree\n", "?part=0": "one\n", "?part=1": "", "?part=3": "three\n"} {
		a := s.ask("GET", path+query, "")
		if a.status != 200 || string(a.body) != want || a.header.Get("Content-Length") != fmt.Sprint(len(want)) ||
			a.header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%s: %d %q %v", query, a.status, a.body, a.header)
		}
	}
	for _, query := range []string{"?part=", "?part=-1", "?part=00", "?part=10000000", "?links=true", "/links?part=x", "/links?links=true"} {
		s.refused(api.CodeInvalidQuery, "GET", path+query, "")
	}
	for _, query := range []string{"?part=4", "?part=9999999", "/links?part=4"} {
		s.refused(api.CodePartNotFound, "GET", path+query, "")
	}
	var links api.LinkList
	must(t, json.Unmarshal(s.ask("GET", path+"/links", "").body, &links))
	if len(links.Parts) != 4 || !strings.HasSuffix(links.Parts[3].URL, "/outbox/wc/part-00003") || links.Parts[3].Bytes != 6 {
		t.Errorf("links %+v", links)
	}
	if empty := s.ask("GET", path, ""); empty.status != 200 {
		t.Errorf("%d", empty.status)
	}
}

// A range of the results is a range of the parts as one stream, wherever they meet.
func TestResultRanges(t *testing.T) {
	s := serve(t, nil)
	parts := []string{"one\n", "", "x", "three\n", ""}
	whole := strings.Join(parts, "")
	path := "/v1/jobs/" + string(s.completed(parts...)) + "/results"
	size := len(whole)
	all := s.ask("GET", path, "")
	etag := all.header.Get("ETag")
	if etag == "" || all.header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%v", all.header)
	}
	for from := range size {
		for to := from; to < size; to++ {
			a := s.ask("GET", path, "", fmt.Sprintf("Range: bytes=%d-%d", from, to), "If-Range: "+etag)
			if a.status != http.StatusPartialContent || string(a.body) != whole[from:to+1] ||
				a.header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", from, to, size) || a.header.Get("ETag") != etag {
				t.Errorf("%d to %d: %d %q %v", from, to, a.status, a.body, a.header)
			}
		}
	}
	for wanted, want := range map[string]string{
		"bytes=4-": whole[4:], "bytes=-3": whole[size-3:], "bytes=-99": whole, "bytes=2-999": whole[2:], "BYTES=1-1": "n",
		"bytes=0-99999999999999999999": whole, "bytes=-99999999999999999999": whole, "bytes=001-002": "ne",
	} {
		if a := s.ask("GET", path, "", "Range: "+wanted); a.status != http.StatusPartialContent || string(a.body) != want {
			t.Errorf("%s: %d %q", wanted, a.status, a.body)
		}
	}
	for _, ignored := range []string{"bytes=0-1,3-4", "lines=0-1", "bytes=-", "bytes=a-b", "bytes", "bytes=1-2-3", "=0-1", "bytes=--1", "bytes=5-2", "bytes=10-9", "bytes=99999999999999999999-9"} {
		if a := s.ask("GET", path, "", "Range: "+ignored); a.status != http.StatusOK || string(a.body) != whole {
			t.Errorf("%s: %d %q", ignored, a.status, a.body)
		}
	}
	for _, beyond := range []string{"bytes=11-", "bytes=-0", "bytes=-00", "bytes=99999999999999999999-", "bytes=99999999999999999998-99999999999999999999"} {
		a := s.refused(api.CodeRange, "GET", path, "", "Range: "+beyond)
		if got := a.header.Get("Content-Range"); got != fmt.Sprintf("bytes */%d", size) {
			t.Errorf("%s: %q", beyond, got)
		}
	}
	if a := s.ask("GET", path, "", "If-None-Match: "+etag); a.status != http.StatusNotModified || len(a.body) > 0 || a.header.Get("ETag") != etag {
		t.Errorf("%d %q %v", a.status, a.body, a.header)
	}
	if a := s.ask("GET", path, "", "Range: bytes=1-2", `If-Range: "other"`); a.status != http.StatusOK || string(a.body) != whole {
		t.Errorf("%d %q", a.status, a.body)
	}
	s.refused(api.CodePrecondition, "GET", path, "", `If-Match: "other"`)
	if a := s.ask("HEAD", path, "", "Range: bytes=1-2"); a.status != http.StatusOK || a.header.Get("Content-Length") != fmt.Sprint(size) {
		t.Errorf("%d %v", a.status, a.header)
	}
	part := s.ask("GET", path+"?part=3", "", "Range: bytes=-2")
	if string(part.body) != "e\n" || part.header.Get("ETag") == etag {
		t.Errorf("%d %q %v", part.status, part.body, part.header)
	}
	if a := s.ask("GET", path+"?part=1", "", "Range: bytes=0-"); a.status != http.StatusOK || len(a.body) > 0 {
		t.Errorf("an empty part: %d %q", a.status, a.body)
	}
}

// The rest of a part is checked together with its beginning; an error before the first byte is
// answered.
func TestRangeOfChangedResults(t *testing.T) {
	s := serve(t, nil)
	path := "/v1/jobs/" + string(s.completed("first\n", "second\n")) + "/results"
	s.put("s3://outbox/wc/part-00001", "Second\n") // of the same size
	s.refused(api.CodeOutputChanged, "GET", path, "", "Range: bytes=-1")
	if _, err := s.client("").Results(t.Context(), "x"); err == nil {
		t.Error("there is no such job")
	}
	if a := s.ask("GET", path, "", "Range: bytes=0-5"); string(a.body) != "first\n" {
		t.Errorf("%d %q", a.status, a.body)
	}
	s.put("s3://outbox/wc/part-00001", "sec")
	s.refused(api.CodeOutputChanged, "GET", path, "", "Range: bytes=10-")
	s.refused(api.CodeOutputChanged, "GET", path, "", "Range: bytes=10-11")
}

// An output that is not what the job wrote is never sent completely.
func TestChangedResults(t *testing.T) {
	s := serve(t, nil)
	id := s.completed("first\n", "second\n")
	c := s.client("")
	fails := func(what string) {
		t.Helper()
		r, err := c.Results(t.Context(), id)
		must(t, err)
		defer r.Close()
		if text, err := io.ReadAll(r); err == nil {
			t.Errorf("%s: it ends cleanly after %q", what, text)
		}
	}
	s.put("s3://outbox/wc/part-00001", "sec0nd\n")
	fails("other bytes")
	s.put("s3://outbox/wc/part-00001", "second\nand more")
	fails("longer")
	s.put("s3://outbox/wc/part-00001", "sec")
	fails("shorter")
	s.put("s3://outbox/wc/part-00001", "second\n")
	s.folders.wrap = func(b objstore.Bucket) objstore.Bucket { return breaking{b} }
	fails("store breaks")
	s.folders.wrap = nil

	b, _, err := s.folders.open(t.Context(), "s3://outbox")
	must(t, err)
	must(t, b.Delete(t.Context(), "wc/part-00000"))
	path := "/v1/jobs/" + string(id) + "/results"
	s.refused(api.CodeOutputChanged, "GET", path, "")
	s.put("s3://outbox/wc/_SUCCESS", `{"job":"another"}`)
	s.refused(api.CodeOutputChanged, "GET", path, "")
	must(t, b.Delete(t.Context(), "wc/_SUCCESS"))
	s.refused(api.CodeOutputChanged, "GET", path, "")
}

// A client that reads only the beginning of an answer, as the preview of "submit --wait" does,
// causes no warning.
func TestReadersOfTheBeginning(t *testing.T) {
	s := serve(t, nil)
	id := s.completed(strings.Repeat("x", 32<<20))
	r, err := s.client("").Part(t.Context(), id, 0)
	must(t, err)
	_, err = io.ReadFull(r, make([]byte, 4096))
	must(t, errors.Join(err, r.Close()))
	must(t, s.http.Shutdown(t.Context())) // waits until the server notices
	if text := s.log.String(); strings.Contains(text, "broke off") || strings.Contains(text, "level=WARN") {
		t.Errorf("logged %s", text)
	}
}
