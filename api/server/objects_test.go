package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/objstore"
)

func TestObjects(t *testing.T) {
	s := serve(t, nil)
	c := s.client("")
	ctx := t.Context()
	keys := []string{"a b/c%2Fd?e#f*", "books/1", "books/2", "books/3", "ü"}
	for _, key := range keys {
		o, err := c.Put(ctx, "inbox", key, strings.NewReader("text of "+key), -1)
		if err != nil || o.Key != key || o.URL != "s3://inbox/"+key || o.Size != int64(len("text of "+key)) {
			t.Fatalf("%q: %+v, %v", key, o, err)
		}
	}
	_, err := c.Put(ctx, "inbox", "empty", strings.NewReader(""), 0)
	must(t, err)
	for _, key := range keys {
		r, err := c.Get(ctx, "inbox", key)
		must(t, err)
		text, err := io.ReadAll(r)
		if must(t, errors.Join(err, r.Close())); string(text) != "text of "+key {
			t.Errorf("%q holds %q", key, text)
		}
	}
	var listed []string
	for o, err := range c.List(ctx, "inbox", "") {
		must(t, err)
		listed = append(listed, o.Key)
	}
	if got, want := fmt.Sprint(listed), "[a b/c%2Fd?e#f* books/1 books/2 books/3 empty ü]"; got != want {
		t.Errorf("listed %s, want %s", got, want)
	}
	page := s.ask("GET", "/v1/objects/inbox?prefix=books/&limit=2&after=books/1", "")
	if got := string(page.body); !strings.Contains(got, `"books/3"`) || strings.Contains(got, `"books/1"`) || strings.Contains(got, "next") {
		t.Errorf("page %s", got)
	}
	if got := string(s.ask("GET", "/v1/objects/inbox?prefix=books/&limit=2", "").body); !strings.Contains(got, `"next":"books/2"`) {
		t.Errorf("page %s", got)
	}

	must(t, c.Delete(ctx, "inbox", "books/1"))
	must(t, c.Delete(ctx, "inbox", "books/1"))
	var p *api.Problem
	if _, err := c.Get(ctx, "inbox", "books/1"); !errors.As(err, &p) || p.Code != api.CodeObjectNotFound {
		t.Errorf("after it was deleted: %v", err)
	}
}

func TestObjectRanges(t *testing.T) {
	s := serve(t, nil)
	s.put("s3://inbox/x", "0123456789")
	for _, c := range []struct {
		header, body string
		status       int
	}{
		{"X: y", "0123456789", 200},
		{"Range: bytes=2-4", "234", 206},
		{"Range: bytes=7-", "789", 206},
		{"Range: bytes=-2", "89", 206},
		{"Range: bytes=0-100", "0123456789", 206},
		{"Range: lines=0-1", "0123456789", 200},
		{"Range: bytes=5-4", "0123456789", 200},
		{"Range: bytes=0-1,4-5", "0123456789", 200},
		{"Range: bytes=" + strings.Repeat("0-,", 500) + "0-", "0123456789", 200},
		{"If-Match: *", "0123456789", 200},
		{"If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT", "0123456789", 200},
		{"If-None-Match: *", "", 304},
		{"If-Modified-Since: Fri, 31 Dec 2100 00:00:00 GMT", "", 304},
	} {
		if a := s.ask("GET", "/v1/objects/inbox/x", "", c.header); a.status != c.status || string(a.body) != c.body {
			t.Errorf("%s: %d %q", c.header, a.status, a.body)
		}
	}
	s.put("s3://inbox/empty", "")
	for _, wanted := range []string{"bytes=0-", "bytes=-1", "bytes=-0", "bytes=0-0", "bytes=7-"} {
		a := s.ask("GET", "/v1/objects/inbox/empty", "", "Range: "+wanted)
		if a.status != http.StatusOK || len(a.body) > 0 || a.header.Get("Content-Range") != "" {
			t.Errorf("%s of nothing: %d %v", wanted, a.status, a.header)
		}
	}
	if a := s.refused(api.CodeRange, "GET", "/v1/objects/inbox/x", "", "Range: bytes=20-"); a.status != 416 || a.header.Get("Content-Range") != "bytes */10" {
		t.Errorf("past the end: %d %v", a.status, a.header)
	}
	if a := s.refused(api.CodeRange, "GET", "/v1/objects/inbox/x", "", "Range: bytes=-0"); a.header.Get("Content-Range") != "bytes */10" {
		t.Errorf("none of them: %v", a.header)
	}
	for _, header := range []string{`If-Match: "other"`, "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT"} {
		s.refused(api.CodePrecondition, "GET", "/v1/objects/inbox/x", "", header)
		if a := s.ask("HEAD", "/v1/objects/inbox/x", "", header); a.status != http.StatusPreconditionFailed {
			t.Errorf("HEAD with %s: %d", header, a.status)
		}
	}
	head := s.ask("HEAD", "/v1/objects/inbox/x", "")
	if head.status != 200 || head.header.Get("Content-Length") != "10" || head.header.Get("Etag") == "" ||
		head.header.Get("Content-Type") != "application/octet-stream" || head.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("head: %d %v", head.status, head.header)
	}
	if a := s.ask("GET", "/v1/objects/inbox/x", "", "If-None-Match: "+head.header.Get("Etag")); a.status != 304 {
		t.Errorf("not modified: %d", a.status)
	}
	if a := s.ask("HEAD", "/v1/objects/inbox/y", ""); a.status != 404 || len(a.body) > 0 {
		t.Errorf("head of nothing: %d", a.status)
	}
}

func TestObjectRefusals(t *testing.T) {
	s := serve(t, func(c *server.Config) { c.MaxUpload = 10; c.Allow = []string{"s3://inbox", "s3://work"} })
	s.put("s3://outside/x", "secret")
	s.put("s3://inbox/x", "mine")
	for _, c := range []struct {
		code               api.Code
		method, path, body string
	}{
		{api.CodeInvalidLocation, "GET", "/v1/objects/inbox/../outside/x", ""},
		{api.CodeInvalidLocation, "GET", "/v1/objects/inbox/%2e%2e/outside/x", ""},
		{api.CodeInvalidLocation, "GET", "/v1/objects/inbox/..%2Foutside/x", ""},
		{api.CodeInvalidLocation, "GET", "/v1/objects/../x", ""},
		{api.CodeInvalidLocation, "GET", "/v1/objects/%2e%2e/x", ""},
		{api.CodeInvalidLocation, "GET", "/v1/objects/inbox%2F..%2Foutside/x", ""},
		{api.CodeInvalidLocation, "GET", "/v1/objects/inbox//x", ""},
		{api.CodeInvalidLocation, "PUT", "/v1/objects/inbox/x%00", "x"},
		{api.CodeInvalidLocation, "PUT", "/v1/objects/inbox/", "x"},
		{api.CodeInvalidLocation, "PUT", "/v1/objects/inbox/x/", "x"},
		{api.CodeInvalidLocation, "PUT", "/v1/objects/inbox/a//x", "x"},
		{api.CodeInvalidLocation, "PUT", "/v1/objects/inbox/" + strings.Repeat("k", 1025), "x"},
		{api.CodeInvalidLocation, "PUT", "/v1/objects/in..box", ""},
		{api.CodeInvalidLocation, "PUT", "/v1/objects/in.-box", ""},
		{api.CodeInvalidLocation, "PUT", "/v1/objects/127.0.0.1", ""},
		{api.CodeInvalidLocation, "PUT", "/v1/objects/user:pw@inbox", ""},
		{api.CodeInvalidLocation, "GET", "/v1/objects/INBOX/x", ""},
		{api.CodeNotAllowed, "GET", "/v1/objects/outside/x", ""},
		{api.CodeNotAllowed, "GET", "/v1/objects/outside", ""},
		{api.CodeNotAllowed, "PUT", "/v1/objects/outside/x", "x"},
		{api.CodeNotAllowed, "PUT", "/v1/objects/outside", ""},
		{api.CodeNotAllowed, "DELETE", "/v1/objects/outside/x", ""},
		{api.CodeNotAllowed, "PUT", "/v1/objects/work/bm/jobs/x", "x"},
		{api.CodeNotAllowed, "PUT", "/v1/objects/work/bm/0/x", "x"},
		{api.CodeNotAllowed, "POST", "/v1/objects/work/bm/logs/x?presign=put", ""},
		{api.CodeNotConfigured, "POST", "/v1/objects/inbox/x?presign=put", ""},
		{api.CodeNotConfigured, "PUT", "/v1/objects/inbox", ""},
		{api.CodeInvalidQuery, "POST", "/v1/objects/inbox/x", ""},
		{api.CodeInvalidQuery, "GET", "/v1/objects/inbox?limit=0", ""},
		{api.CodeInvalidLocation, "GET", "/v1/objects/inbox/folder/", ""},
		{api.CodeInvalidLocation, "GET", "/v1/objects/inbox/", ""},
		{api.CodeBodyTooLarge, "PUT", "/v1/objects/inbox/new", "longer than ten"},
		{api.CodeObjectNotFound, "GET", "/v1/objects/inbox/new", ""},
		{api.CodeMethodNotAllowed, "PATCH", "/v1/objects/inbox/new", ""},
		{api.CodeNoRoute, "GET", "/v2/jobs", ""},
		{api.CodeNoRoute, "GET", "/", ""},
	} {
		s.refused(c.code, c.method, c.path, c.body)
	}
	// If the length is unknown, the limit is found while reading.
	req, err := http.NewRequestWithContext(t.Context(), "PUT", s.url+"/v1/objects/inbox/new", io.MultiReader(strings.NewReader("longer than ten")))
	must(t, err)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a long chunked body: %d", resp.StatusCode)
	}
	s.refused(api.CodeObjectNotFound, "GET", "/v1/objects/inbox/new", "")
}

func TestPresignAndBuckets(t *testing.T) {
	var made string
	s := serve(t, func(c *server.Config) {
		c.Presign = func(_ context.Context, method, url string, expires time.Duration) (string, error) {
			return "https://store.example/" + method + "/" + url + "?for=" + expires.String(), nil
		}
		c.EnsureBucket = func(_ context.Context, url string) error { made = url; return nil }
	})
	c := s.client("")
	link, err := c.Presign(t.Context(), "put", "inbox", "a b")
	if err != nil || link.Method != "PUT" || link.URL != "https://store.example/PUT/s3://inbox/a b?for=1h0m0s" || link.Expires == nil {
		t.Errorf("%+v, %v", link, err)
	}
	if must(t, c.MakeBucket(t.Context(), "new")); made != "s3://new/" {
		t.Errorf("made %q", made)
	}
}

// breaking is a bucket whose objects end with an error half-way.
type breaking struct{ objstore.Bucket }

func (b breaking) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := b.Bucket.Get(ctx, key, offset, length)
	if err != nil || strings.HasSuffix(key, "_SUCCESS") {
		return r, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(r, 5), failing{}), r}, nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, objstore.ErrUnavailable }

func TestBrokenSourceBreaksTheConnection(t *testing.T) {
	s := serve(t, nil)
	s.put("s3://inbox/x", "0123456789")
	s.folders.wrap = func(b objstore.Bucket) objstore.Bucket { return breaking{b} }
	resp, err := http.Get(s.url + "/v1/objects/inbox/x")
	must(t, err)
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("it ends cleanly after %q, %v", text, err)
	}
	if !strings.Contains(s.log.String(), "answer broke off") {
		t.Error("nobody was told")
	}
}

func TestBuckets(t *testing.T) {
	list := func(adjust func(*server.Config), token string) string {
		s := serve(t, func(c *server.Config) {
			c.Buckets = func(context.Context) ([]string, error) { return []string{"work", "outbox", "inbox"}, nil }
			adjust(c)
		})
		buckets, err := s.client(token).Buckets(t.Context())
		must(t, err)
		var urls []string
		for _, b := range buckets {
			urls = append(urls, b.URL)
		}
		return strings.Join(urls, " ")
	}
	tokens := []server.Token{{Name: "ann", Role: server.RoleRead, Hash: server.HashToken("a")}, {Name: "eve", Role: server.RoleAdmin, Hash: server.HashToken("e")}}
	for _, c := range []struct {
		adjust      func(*server.Config)
		token, want string
	}{
		{func(*server.Config) {}, "", "s3://inbox s3://outbox s3://work"},
		{func(c *server.Config) { c.Allow = []string{"s3://outbox/x", "s3://nowhere"} }, "", "s3://outbox"},
		{func(c *server.Config) { c.Work, c.Tokens = "s3://work", tokens }, "a", "s3://inbox s3://outbox"},
		{func(c *server.Config) { c.Work, c.Tokens = "s3://work", tokens }, "e", "s3://inbox s3://outbox s3://work"},
		{func(c *server.Config) { c.Tokens = tokens }, "a", "s3://inbox s3://outbox s3://work"}, // some of the bucket is not Bucketmill's own
	} {
		if got := list(c.adjust, c.token); got != c.want {
			t.Errorf("listed %s, want %s", got, c.want)
		}
	}
	if answer := serve(t, nil).ask("GET", "/v1/objects", ""); answer.status != http.StatusNotImplemented {
		t.Errorf("where it is not set up: %+v", answer)
	}
}

// A write under a condition is refused, not done without it.
func TestConditionsOfWritesAreRefused(t *testing.T) {
	s := serve(t, nil)
	s.put("s3://inbox/x", "before")
	job := "/v1/jobs/" + string(s.submit(wordcount))
	for _, header := range []string{"If-None-Match: *", `If-Match: "other"`, "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT"} {
		for _, request := range []string{"PUT /v1/objects/inbox/x", "DELETE /v1/objects/inbox/x", "PUT /v1/objects/inbox", "DELETE " + job, "POST " + job + "/cancel"} {
			method, path, _ := strings.Cut(request, " ")
			s.refused(api.CodeNotConfigured, method, path, "", header)
		}
	}
	s.refused(api.CodeInvalidRequest, "PUT", "/v1/objects/inbox/x", "after", "Content-Range: bytes 0-4/9")
	if a := s.ask("GET", "/v1/objects/inbox/x", ""); string(a.body) != "before" {
		t.Errorf("it was written: %q", a.body)
	}
}
