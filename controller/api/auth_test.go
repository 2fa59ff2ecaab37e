package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/controller/api"
)

func TestTokens(t *testing.T) {
	tokens, err := api.ParseTokens("# who may do what\n\nann admin " + api.HashToken("a") + "\nbob  submit\t" + api.HashToken("b") +
		"\ncid read " + api.HashToken("c") + "\n")
	must(t, err)
	s := serve(t, func(c *api.Config) { c.Tokens = tokens })
	id := "/v1/jobs/" + string(s.submit(wordcount, "Authorization: Bearer b"))

	for _, header := range []string{"X: y", "Authorization: Bearer ", "Authorization: Bearer x", "Authorization: Basic YTph", "Authorization: a"} {
		for _, path := range []string{"/v1/jobs", id, "/metrics", "/v1/objects/inbox/x"} {
			a := s.refused(api.CodeUnauthorized, "GET", path, "", header)
			if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("%s, %s: no WWW-Authenticate", path, header)
			}
		}
		s.refused(api.CodeUnauthorized, "POST", "/v1/jobs", wordcount, header)
	}
	const read, submit, admin = "Authorization: Bearer c", "Authorization: Bearer b", "authorization: bearer a"
	for _, c := range []struct{ method, path, header string }{
		{"POST", "/v1/jobs", read},
		{"POST", id + "/cancel", read},
		{"POST", id + "/retry", read},
		{"PUT", "/v1/objects/inbox/x", read},
		{"PUT", "/v1/objects/inbox", read},
		{"POST", "/v1/objects/inbox/x?presign=put", read},
		{"DELETE", "/v1/objects/inbox/x", submit},
	} {
		a := s.refused(api.CodeForbidden, c.method, c.path, "", c.header)
		if !strings.Contains(a.header.Get("WWW-Authenticate"), "insufficient_scope") {
			t.Errorf("%s %s: %v", c.method, c.path, a.header)
		}
	}
	s.put("s3://work/bm/jobs/j/program/p", "secret")
	s.refused(api.CodeNotAllowed, "GET", "/v1/objects/work/bm/jobs/j/program/p", "", submit)
	for _, c := range []struct {
		method, path, header string
		status               int
	}{
		{"GET", id, read, 200},
		{"GET", id, submit, 200},
		{"DELETE", "/v1/objects/inbox/x", admin, 204},
		{"GET", "/v1/objects/work/bm/jobs/j/program/p", admin, 200},
		{"GET", "/healthz", "X: y", 200},
		{"GET", "/readyz", "X: y", 200},
		{"GET", "/v1/openapi.json", "X: y", 200},
		{"GET", "/metrics", read, 200},
	} {
		if a := s.ask(c.method, c.path, "", c.header); a.status != c.status {
			t.Errorf("%s %s with %s: %d %s", c.method, c.path, c.header, a.status, a.body)
		}
	}
}

func TestParseTokensRefusals(t *testing.T) {
	for _, text := range []string{
		"ann admin", "ann root " + api.HashToken("a"), "ann none " + api.HashToken("a"),
		"ann admin hunter2", "ann admin sha256:12", "ann admin " + api.HashToken("a") + "0", "ann admin sha256:" + strings.Repeat("x", 64),
	} {
		_, err := api.ParseTokens("\n" + text)
		if err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	s := serve(t, nil)
	s.refused(api.CodeCrossOrigin, "POST", "/v1/jobs", wordcount, "Origin: https://evil.example")
	s.refused(api.CodeCrossOrigin, "POST", "/v1/jobs", wordcount, "Sec-Fetch-Site: cross-site")
	s.submit(wordcount, "Sec-Fetch-Site: same-origin", "Origin: "+s.url)

	// A name that somebody else made lead here.
	get := "GET /v1/jobs HTTP/1.1\r\nHost: %s\r\n\r\n"
	for host, status := range map[string]int{"evil.example:80": 403, "localhost": 200, "LOCALHOST:1": 200, "mill.localhost": 200, "[::1]:8080": 200, "10.0.0.1": 200, "": 403} {
		if a, _ := s.raw(fmt.Sprintf(get, host)); a.status != status {
			t.Errorf("host %q: %d %s", host, a.status, a.body)
		}
	}
	guarded := serve(t, func(c *api.Config) {
		c.Tokens = []api.Token{{Name: "ann", Role: api.RoleRead, Hash: api.HashToken("a")}}
	})
	if a, _ := guarded.raw("GET /v1/jobs HTTP/1.1\r\nHost: mill.example\r\nAuthorization: Bearer a\r\n\r\n"); a.status != 200 {
		t.Errorf("with a token: %d %s", a.status, a.body)
	}
}
