package server_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/server"
)

func TestTokens(t *testing.T) {
	tokens, err := server.ParseTokens("# who may do what\n\nann admin " + server.HashToken("a") + "\nbob  submit\t" + server.HashToken("b") +
		"\ncid read " + server.HashToken("c") + "\n")
	must(t, err)
	s := serve(t, func(c *server.Config) { c.Tokens = tokens })
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
		"ann admin", "ann root " + server.HashToken("a"), "ann none " + server.HashToken("a"),
		"ann admin hunter2", "ann admin sha256:12", "ann admin " + server.HashToken("a") + "0", "ann admin sha256:" + strings.Repeat("x", 64),
	} {
		_, err := server.ParseTokens("\n" + text)
		if err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A file that an editor of Windows has saved begins with a byte order mark, and its lines end with
// a carriage return.
func TestParseTokensOfWindows(t *testing.T) {
	tokens, err := server.ParseTokens("\ufeffann admin " + server.HashToken("a") + "\r\n")
	if err != nil || len(tokens) != 1 || tokens[0].Name != "ann" {
		t.Errorf("%q, %v", tokens, err)
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	s := serve(t, nil)
	s.refused(api.CodeCrossOrigin, "POST", "/v1/jobs", wordcount, "Origin: https://evil.example")
	s.refused(api.CodeCrossOrigin, "POST", "/v1/jobs", wordcount, "Sec-Fetch-Site: cross-site")
	s.submit(wordcount, "Sec-Fetch-Site: same-origin", "Origin: "+s.url)

	guarded := serve(t, func(c *server.Config) {
		c.Tokens = []server.Token{{Name: "ann", Role: server.RoleRead, Hash: server.HashToken("a")}}
	})
	if a, _ := guarded.raw("GET /v1/jobs HTTP/1.1\r\nHost: mill.example\r\nAuthorization: Bearer a\r\n\r\n"); a.status != 200 {
		t.Errorf("with a token: %d %s", a.status, a.body)
	}
}

// Without tokens, a page must not reach the server by a name of its own, whatever address the
// request seems to come from (a container's bridge, say).
func TestNamesOfOthersAreRefused(t *testing.T) {
	s := serve(t, func(c *server.Config) { c.Hosts = []string{"Mill.example", "controller"} })
	for host, status := range map[string]int{
		"evil.example:80": 403, "localhost": 200, "LOCALHOST:1": 200, "localhost.": 200, "mill.localhost": 200, "[::1]:8080": 200, "10.0.0.1": 200,
		"": 403, "mill.example:8080": 200, "MILL.example": 200, "x.mill.example": 403, "controller:8080": 200, "notlocalhost": 403,
		"localhost.evil.example": 403, "127.0.0.1.evil.example": 403,
	} {
		for _, client := range []string{"127.0.0.1:40000", "172.17.0.1:40000", "203.0.113.7:40000", "@"} {
			for _, method := range []string{"GET", "POST"} {
				want := status
				if status == 200 && method == "POST" {
					want = 201
				}
				r := httptest.NewRequest(method, "/v1/jobs", nil)
				if method == "POST" {
					r = httptest.NewRequest(method, "/v1/jobs", strings.NewReader(wordcount))
				}
				r.Host, r.RemoteAddr = host, client
				w := httptest.NewRecorder()
				s.http.Handler.ServeHTTP(w, r)
				if w.Code != want {
					t.Errorf("%s for host %q, client %s: %d %s", method, host, client, w.Code, w.Body)
				}
			}
		}
	}
	for path, status := range map[string]int{"/healthz": 200, "/readyz": 200, "/v1/jobs": 403} {
		if a, _ := s.raw("GET " + path + " HTTP/1.0\r\n\r\n"); a.status != status {
			t.Errorf("%s by HTTP/1.0, without a host: %d %s", path, a.status, a.body)
		}
	}
}

func TestTokensWantedAndNoneGiven(t *testing.T) {
	s := serve(t, nil)
	_, err := server.New(server.Config{Store: s.store, Open: s.folders.open, Work: work, Log: slog.New(slog.DiscardHandler), Tokens: []server.Token{}})
	if err == nil || !strings.Contains(err.Error(), "there is no token") {
		t.Errorf("a server that nobody could use was made: %v", err)
	}
	tokens, err := server.ParseTokens("# none\n")
	if tokens == nil || err != nil {
		t.Errorf("no tokens are read as none wanted: %v", err)
	}
}

// The log says who has changed what, and which requests the server refused.
func TestAuditTrail(t *testing.T) {
	tokens, err := server.ParseTokens("ann admin " + server.HashToken("a") + "\ncid read " + server.HashToken("c"))
	must(t, err)
	s := serve(t, func(c *server.Config) {
		c.Tokens = tokens
		c.Presign = func(context.Context, string, string, time.Duration) (string, error) {
			return "https://store.example/x", nil
		}
		c.EnsureBucket = func(context.Context, string) error { return nil }
	})
	const ann, cid = "Authorization: Bearer a", "Authorization: Bearer c"
	id := s.submit(wordcount, ann)
	for _, c := range []struct{ method, path, header string }{
		{"PUT", "/v1/objects/inbox", ann},
		{"PUT", "/v1/objects/inbox/x", ann},
		{"POST", "/v1/objects/inbox/x?presign=put", ann},
		{"DELETE", "/v1/objects/inbox/x", ann},
		{"POST", "/v1/jobs/" + string(id) + "/cancel", ann},
		{"DELETE", "/v1/objects/inbox/secret", cid},
	} {
		s.ask(c.method, c.path, "", c.header)
	}
	for range 100 {
		s.ask("GET", "/v1/jobs", "", "Authorization: Bearer guess")
	}
	for _, want := range []string{
		`msg="job submitted" job=` + string(id) + `.* caller=ann client=127`, `msg="job cancelled" job=` + string(id) + ` .*caller=ann`,
		`msg="bucket created" bucket=s3://inbox/? caller=ann`, `msg="object written" object=s3://inbox/x bytes=0 caller=ann`,
		`msg="object deleted" object=s3://inbox/x caller=ann`, `msg="link created" method=PUT object=s3://inbox/x caller=ann`,
		`msg="request rejected" method=DELETE path=/v1/objects/inbox/secret .*requires the role admin.*caller=cid`,
		`msg="request rejected" method=GET path=/v1/jobs error="the token is unknown`,
	} {
		if !regexp.MustCompile(want).MatchString(s.log.String()) {
			t.Errorf("not in the log: %s", want)
		}
	}
	if n := strings.Count(s.log.String(), "request rejected"); n < 10 || n > 60 {
		t.Errorf("of 101 rejections the log has %d", n)
	}
	if t.Failed() {
		t.Log(s.log.String())
	}
}
