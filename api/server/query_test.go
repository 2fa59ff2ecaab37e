package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/api"
)

// A query is understood completely, or refused with the name of what is wrong.
func TestQueriesAreStrict(t *testing.T) {
	s := serve(t, nil)
	id := "/v1/jobs/" + string(s.submit(wordcount))
	for path, wrong := range map[string]string{
		"/v1/jobs?limit=1&limit=2":                "limit",
		"/v1/jobs?name=a&name=a":                  "name",
		"/v1/jobs?nmae=a":                         "nmae",
		"/v1/jobs?=a":                             "",
		"/v1/jobs?state=%zz":                      "state",
		"/v1/jobs?%zz=1":                          "%zz",
		"/v1/jobs?limit=1;name=x":                 "limit",
		"/v1/jobs?name=%ff":                       "name",
		"/v1/jobs?state=":                         "state",
		"/v1/jobs?limit=":                         "limit",
		"/v1/jobs?limit=%2B5":                     "limit",
		"/v1/jobs?limit=05":                       "limit",
		id + "?full=true":                         "full",
		id + "/counters?x":                        "x",
		id + "/events?after=1-0&after=1-0":        "after",
		id + "/results?links=true":                "links",
		id + "/tasks?side=":                       "side",
		id + "/tasks?offset=20000001":             "offset",
		"/v1/executors?x=1":                       "x",
		"/v1/active?x=1":                          "x",
		"/v1/objects/inbox?prefix=a&prefix=b":     "prefix",
		"/v1/objects/inbox/x?prefix=a":            "prefix",
		"/healthz?x=1":                            "x",
		"/readyz?x=1":                             "x",
		"/v1/openapi.json?x=1":                    "x",
		"/metrics?name%5B%5D=x":                   "name[]",
		"/v1/jobs?" + strings.Repeat("x", 10_000): "xxxxxxxx",
	} {
		a := s.refused(api.CodeInvalidQuery, "GET", path, "")
		if p := a.problem(t); !strings.Contains(p.Detail, `query parameter "`+wrong) || len(a.body) > 1000 {
			t.Errorf("%.80s: the detail is %q", path, p.Detail)
		}
	}
	for _, path := range []string{
		"/v1/jobs?", "/v1/jobs?&limit=1&", "/v1/jobs?state=MAPPING&state=FAILED", "/v1/jobs?state=MAPPING,FAILED",
		"/v1/jobs?name=", "/v1/jobs?name=a%3Bb", id + "/tasks?offset=20000000",
	} {
		if a := s.ask("GET", path, ""); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	s.refused(api.CodeInvalidQuery, "POST", id+"/cancel?force=true", "")
	s.refused(api.CodeInvalidQuery, "PUT", "/v1/objects/inbox/x?acl=1", "text")
}

// Where GET works, HEAD gives the same answer without the body; other methods are refused, and
// Allow lists those that work.
func TestMethods(t *testing.T) {
	s := serve(t, nil)
	s.put("s3://inbox/x", "0123456789")
	id := "/v1/jobs/" + string(s.completed("one\n", "two\n"))
	for path, allow := range map[string]string{
		"/healthz": "OPTIONS, GET, HEAD", "/readyz": "OPTIONS, GET, HEAD", "/metrics": "OPTIONS, GET, HEAD",
		"/v1/openapi.json": "OPTIONS, GET, HEAD", "/v1/openapi.yaml": "OPTIONS, GET, HEAD",
		"/v1/jobs": "OPTIONS, GET, HEAD, POST", id: "OPTIONS, DELETE, GET, HEAD", id + "/counters": "OPTIONS, GET, HEAD",
		id + "/events?after=9999999999999-": "OPTIONS, GET, HEAD", id + "/results": "OPTIONS, GET, HEAD", id + "/tasks": "OPTIONS, GET, HEAD",
		id + "/results?part=1": "OPTIONS, GET, HEAD", id + "/nothing": "", id + "/results?part=7": "OPTIONS, GET, HEAD",
		id + "/tasks/m0/attempts/1/log": "OPTIONS, GET, HEAD", "/v1/active": "OPTIONS, GET, HEAD",
		"/v1/executors": "OPTIONS, GET, HEAD", "/v1/objects/inbox": "OPTIONS, GET, HEAD, PUT",
		"/v1/objects/inbox/x": "OPTIONS, DELETE, GET, HEAD, POST, PUT", "/v1/objects/inbox/none": "OPTIONS, DELETE, GET, HEAD, POST, PUT",
		id + "/cancel": "OPTIONS, POST", "/v1/nothing": "", "/v1/jobs/none": "OPTIONS, DELETE, GET, HEAD",
	} {
		get, head := s.ask("GET", path, ""), s.ask("HEAD", path, "")
		if head.status != get.status || len(head.body) > 0 || head.header.Get("Content-Type") != get.header.Get("Content-Type") ||
			head.header.Get("ETag") != get.header.Get("ETag") {
			t.Errorf("HEAD %s: %d %v, GET: %d %v", path, head.status, head.header, get.status, get.header)
		}
		if length := head.header.Get("Content-Length"); length != "" && length != get.header.Get("Content-Length") && path != "/metrics" {
			t.Errorf("HEAD %s has length %s, GET %s", path, length, get.header.Get("Content-Length"))
		}
		if allow == "" {
			s.refused(api.CodeNoRoute, "PATCH", path, "")
			continue
		}
		a := s.refused(api.CodeMethodNotAllowed, "PATCH", path, "")
		options := s.ask("OPTIONS", path, "")
		if a.header.Get("Allow") != allow || options.status != http.StatusNoContent || options.header.Get("Allow") != allow {
			t.Errorf("%s allows %q; OPTIONS: %d %q", path, a.header.Get("Allow"), options.status, options.header.Get("Allow"))
		}
	}
}
