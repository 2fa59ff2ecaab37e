package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/bucketmill/bucketmill/controller/api"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// completed makes a job that looks as if it had written these parts.
func (s *service) completed(parts ...string) state.JobID {
	s.t.Helper()
	id := s.submit(wordcount)
	ctx := s.t.Context()
	plan, err := state.Plan{Spread: 1, PageSize: 1}.Encode()
	must(s.t, err)
	must(s.t, s.store.Start(ctx, id, state.Outline{Maps: len(parts), Reduces: 0, Plan: plan}))
	claimed, err := s.store.Claim(ctx, "me", len(parts), time.Minute)
	must(s.t, err)
	for _, c := range claimed {
		must(s.t, s.store.Commit(ctx, c.Attempt, "me", []byte("m"), nil))
	}
	must(s.t, s.store.Finish(ctx, id, state.AnyStage))
	success := state.Success{Job: id}
	for i, text := range parts {
		s.put("s3://outbox/wc/"+state.PartName(i), text)
		success.Parts = append(success.Parts, state.SuccessPart{
			Name: state.PartName(i), Bytes: int64(len(text)), Records: 1,
			Checksum: fmt.Sprintf("xxh64:%016x", xxhash.Sum64String(text)),
		})
	}
	text, err := success.Encode()
	must(s.t, err)
	s.put("s3://outbox/wc/_SUCCESS", string(text))
	return id
}

func TestResults(t *testing.T) {
	s := serve(t, func(c *api.Config) {
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
	for _, query := range []string{"?part=4", "?part=", "?part=-1", "?part=00", "?links=true", "/links?part=4", "/links?links=true"} {
		s.refused(api.CodeInvalidQuery, "GET", path+query, "")
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

// An output that is not what the job wrote is never given out whole.
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

// Who reads only the beginning of an answer, as the preview of "submit --wait" does, is nothing to warn of.
func TestReadersOfTheBeginning(t *testing.T) {
	s := serve(t, nil)
	id := s.completed(strings.Repeat("x", 32<<20))
	r, err := s.client("").Part(t.Context(), id, 0)
	must(t, err)
	_, err = io.ReadFull(r, make([]byte, 4096))
	must(t, errors.Join(err, r.Close()))
	must(t, s.http.Shutdown(t.Context())) // waits until the server knows
	if text := s.log.String(); strings.Contains(text, "broke off") || strings.Contains(text, "level=WARN") {
		t.Errorf("logged %s", text)
	}
}
