package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// keysOf lists objects, and returns their keys.
func (s *service) keysOf(path string, headers ...string) string {
	s.t.Helper()
	a := s.ask("GET", path, "", headers...)
	var list api.ObjectList
	if err := json.Unmarshal(a.body, &list); err != nil || a.status != 200 {
		s.t.Fatalf("GET %s: %d %s", path, a.status, a.body)
	}
	var keys []string
	for _, o := range list.Objects {
		keys = append(keys, o.Key)
	}
	return strings.Join(keys, " ")
}

// A listing does not show what belongs to Bucketmill itself, unless an admin asks exactly for that.
func TestListingsLeaveTheWorkAreaOut(t *testing.T) {
	tokens, err := server.ParseTokens("ann admin " + server.HashToken("a") + "\ncid read " + server.HashToken("c"))
	must(t, err)
	s := serve(t, func(c *server.Config) { c.Tokens = tokens })
	const admin, read = "Authorization: Bearer a", "Authorization: Bearer c"
	for _, key := range []string{"bm/0/j/m0.seg", "bm/jobs/j/job.json", "bm/logs/j/x.log", "bm/jobsheet", "bm/data/x", "x"} {
		s.put("s3://work/"+key, "x")
	}
	for path, want := range map[string]string{
		"": "bm/data/x bm/jobsheet x", "?prefix=b": "bm/data/x bm/jobsheet", "?prefix=bm/jo": "bm/jobsheet", "?prefix=bm/": "bm/data/x bm/jobsheet",
		"?prefix=bm/l": "", "?prefix=bm/j": "bm/jobsheet", "?prefix=bm/data/&after=bm/data/a": "bm/data/x", "?limit=1": "bm/data/x",
	} {
		for _, who := range []string{admin, read} {
			if got := s.keysOf("/v1/objects/work"+path, who); got != want {
				t.Errorf("%s: %s, want %s", path, got, want)
			}
		}
	}
	s.refused(api.CodeNotAllowed, "GET", "/v1/objects/work?prefix=bm/jobs", "", read)
	if got := s.keysOf("/v1/objects/work?prefix=bm/jobs/", admin); got != "bm/jobs/j/job.json" {
		t.Errorf("an admin who asks for the jobs' folder gets %s", got)
	}
}

// A prefix that begins like the name of an open folder lists that folder alone.
func TestListingsKeepToTheAllowList(t *testing.T) {
	s := serve(t, func(c *server.Config) { c.Allow = []string{"s3://inbox/pub"} })
	for _, key := range []string{"pub/x", "pub2/secret", "public", "pub"} {
		if key != "pub" { // a folder is a file's name nowhere here
			s.put("s3://inbox/"+key, "x")
		}
	}
	for path, want := range map[string]string{"?prefix=pub": "pub/x", "?prefix=pub/": "pub/x"} {
		if got := s.keysOf("/v1/objects/inbox" + path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	s.refused(api.CodeNotAllowed, "GET", "/v1/objects/inbox?prefix=pu", "")
	s.refused(api.CodeNotAllowed, "GET", "/v1/objects/inbox?prefix=pub2", "")
}

// A job gets at nothing of the work area, whatever its input is.
func TestJobsDoNotReadTheWorkArea(t *testing.T) {
	tokens, err := server.ParseTokens("bob submit " + server.HashToken("b"))
	must(t, err)
	s := serve(t, func(c *server.Config) { c.Tokens = tokens })
	s.control(nil)
	s.execute()
	s.put("s3://work/bm/jobs/victim/program/p.py", "SECRET\n")
	s.put("s3://work/bm/0/victim/m0.1-a.seg", "SECRET\n")
	s.put("s3://work/bm/open.txt", "open\n")
	const bob = "Authorization: Bearer b"
	for i, input := range []string{
		"s3://work", "s3://work/", "s3://work/**", "s3://work/*/**", "s3://work/bm", "s3://work/bm/", "s3://work/bm/*", "s3://work/bm/j[o]bs/**", "s3://work/bm/{jobs,open.txt}/**",
		"s3://work/bm/[0-9]", "s3://work/b[m]/jobs/**",
	} {
		output := fmt.Sprintf("s3://outbox/steal-%d", i)
		id := s.submit(fmt.Sprintf(`{"program":"grep","params":{"pattern":"."},"input":[%q],"output":%q,"reducers":1}`, input, output), bob)
		var j state.Job
		for j = s.job(id); j.Phase != job.PhaseEnded; j = s.job(id) {
			time.Sleep(10 * time.Millisecond) // polling: its events are another test's
		}
		switch {
		case j.State == job.Completed:
			if text := s.ask("GET", "/v1/jobs/"+string(id)+"/results", "", bob).body; strings.Contains(string(text), "SECRET") {
				t.Errorf("%s: the results are %s", input, text)
			}
		case j.Error == nil || !strings.Contains(j.Error.Message, "for itself") && !strings.Contains(j.Error.Message, "matches the glob"):
			t.Errorf("%s: %+v", input, j.Error)
		}
	}
	s.refused(api.CodeNotAllowed, "POST", "/v1/jobs", `{"program":"grep","params":{"pattern":"."},"input":["s3://work/bm/jobs/victim/"],"output":"s3://outbox/x"}`, bob)
}

// job reads a job.
func (s *service) job(id job.ID) state.Job {
	s.t.Helper()
	job, err := s.store.Job(s.t.Context(), id)
	must(s.t, err)
	return job
}

// Who may only read can't keep the server busy with a glob.
func TestGlobsOfNamesAreAnsweredAtOnce(t *testing.T) {
	t.Attr("timing", "answers must be quick")
	s := serve(t, nil)
	s.submit(strings.Replace(wordcount, `"wc"`, `"`+strings.Repeat("a", 60)+`"`, 1))
	begun := time.Now()
	for glob, status := range map[string]int{
		strings.Repeat("{a,aa}", 27) + "b": 200, strings.Repeat("{a,aa}", 150): 200, strings.Repeat("{a*,a}", 40): 400, strings.Repeat("a", 2000) + "*": 400, "{a": 400,
	} {
		if a := s.ask("GET", "/v1/jobs?name="+url.QueryEscape(glob), ""); a.status != status {
			t.Errorf("%.40s…: %d %s", glob, a.status, a.body)
		}
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("answers took %v", took)
	}
}
