package server_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/job/jobfile"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/state"
	"github.com/bucketmill/bucketmill/test/testservices"
)

// The headers of callers with tokens.
const (
	asAlice = "Authorization: Bearer alice's" // admin
	asBob   = "Authorization: Bearer bob's"   // submit
	asDora  = "Authorization: Bearer dora's"  // submit
	asCarol = "Authorization: Bearer carol's" // read
)

func withTokens(c *server.Config) {
	for name, role := range map[string]server.Role{"alice": server.RoleAdmin, "bob": server.RoleSubmit, "dora": server.RoleSubmit, "carol": server.RoleRead} {
		c.Tokens = append(c.Tokens, server.Token{Name: name, Role: role, Hash: server.HashToken(name + "'s")})
	}
}

// specTo is a spec of a job with its own output, and more members.
func specTo(output, more string) string {
	return `{"program":"wordcount","input":["s3://inbox/books/"],"output":"s3://outbox/` + output + `"` + more + `}`
}

// Every field that Redis keeps of a job is limited.
func TestLargeSpecsAreRefused(t *testing.T) {
	s := serve(t, nil)
	x := func(n int) string { return strings.Repeat("x", n) }
	many := func(n int, format string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprintf(format, i)
		}
		return strings.Join(items, ",")
	}
	for name, c := range map[string]struct {
		spec string
		code api.Code
		says string
	}{
		"a million bytes":  {specTo("o", `,"params":{"x":"`+x(1_000_000)+`"}`), api.CodeInvalidSpec, "131072"},
		"blanks":           {specTo("o", strings.Repeat(" ", 132_000)), api.CodeInvalidSpec, "131072"},
		"long inputs":      {`{"program":"wordcount","input":[` + many(2001, `"s3://inbox/`+x(80)+`%d"`) + `],"output":"s3://outbox/o"}`, api.CodeInvalidSpec, "2000"},
		"params":           {specTo("o", `,"params":{"x":"`+x(70_000)+`"}`), api.CodeInvalidSpec, "65536"},
		"two large params": {specTo("o", `,"params":{"x":"`+x(40_000)+`","y":"`+x(40_000)+`"}`), api.CodeInvalidSpec, "65536"},
		"many params":      {specTo("o", `,"params":{`+many(1001, `"p%d":1`)+`}`), api.CodeInvalidSpec, "1000"},
		"a param's name":   {specTo("o", `,"params":{"`+x(300)+`":1}`), api.CodeInvalidSpec, "256"},
		"a name":           {specTo("o", `,"name":"`+x(300)+`"`), api.CodeInvalidSpec, "256"},
		"an output":        {specTo(x(3000), ""), api.CodeInvalidSpec, "2048"},
		"many inputs":      {`{"program":"wordcount","input":[` + many(2001, `"s3://inbox/%d"`) + `],"output":"s3://outbox/o"}`, api.CodeInvalidSpec, "2000"},
		"many attempts":    {specTo("o", `,"max_attempts":101`), api.CodeInvalidSpec, "100"},
		"commands":         {`{"mapper":"` + x(50_000) + `","reducer":"` + x(50_000) + `","combiner":"` + x(50_000) + `","input":["s3://inbox/"],"output":"s3://outbox/o"}`, api.CodeInvalidSpec, "131072"},
		"aliases in YAML":  {"mapper: &c '" + x(50_000) + "'\nreducer: *c\ncombiner: *c\ninput: [s3://inbox/]\noutput: s3://outbox/o\n", api.CodeInvalidSpec, "131072"},
		"a part of a form": {"", api.CodeInvalidSpec, "65536"},
	} {
		t.Run(name, func(t *testing.T) {
			headers := []string{}
			if c.spec == "" {
				body, header := form(t, "spec=spec="+specTo("o", `,"params":{"x":"`+x(200_000)+`"}`))
				c.spec, headers = body, []string{header}
			}
			a := s.refused(c.code, "POST", "/v1/jobs", c.spec, headers...)
			if p := a.problem(t); !strings.Contains(p.Detail, c.says) {
				t.Errorf("%s is not in %.300s", c.says, p.Detail)
			}
		})
	}
	if ids, err := s.store.History(t.Context(), 0, 10); err != nil || len(ids) > 0 {
		t.Errorf("%v %v", ids, err)
	}
	// A spec just within the limits is accepted.
	s.submit(`{"mapper":"cat","input":[` + many(2000, `"s3://inbox/%d"`) + `],"output":"s3://outbox/o","params":{"x":"` + x(65_000) + `"},"max_attempts":100}`)
}

func TestWhoSubmitted(t *testing.T) {
	s := serve(t, withTokens)
	id := s.submit(specTo("a", ""), asBob)
	for _, path := range []string{"/v1/jobs/" + string(id), "/v1/jobs"} {
		if a := s.ask("GET", path, "", asCarol); !strings.Contains(string(a.body), `"submitted_by":"bob"`) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	open := serve(t, nil)
	id = open.submit(specTo("a", ""))
	if a := open.ask("GET", "/v1/jobs/"+string(id), ""); !strings.Contains(string(a.body), `"submitted_by":"anonymous"`) {
		t.Errorf("%s", a.body)
	}
}

func TestActiveJobsOfACallerAreLimited(t *testing.T) {
	s := serve(t, func(c *server.Config) { withTokens(c); c.MaxJobs = 2 })
	first := s.submit(specTo("a", ""), asBob)
	repeated := s.submit(specTo("b", ""), asBob, "Idempotency-Key: b")
	a := s.refused(api.CodeTooManyJobs, "POST", "/v1/jobs", specTo("c", ""), asBob)
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	s.refused(api.CodeTooManyJobs, "POST", "/v1/jobs", specTo("c", ""), asBob, "Idempotency-Key: c")
	// A repeated submission is not another job, and another caller has room.
	if a := s.ask("POST", "/v1/jobs", specTo("b", ""), asBob, "Idempotency-Key: b"); a.status != http.StatusOK || !strings.Contains(string(a.body), string(repeated)) {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.submit(specTo("d", ""), asDora)
	if a := s.ask("POST", "/v1/jobs/"+string(first)+"/cancel", "", asBob); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.submit(specTo("c", ""), asBob)
	s.refused(api.CodeTooManyJobs, "POST", "/v1/jobs", specTo("e", ""), asBob)
}

func TestPriorityHasACeilingByRole(t *testing.T) {
	ceiling := 100
	s := serve(t, func(c *server.Config) { withTokens(c); c.MaxPriority = &ceiling })
	s.submit(specTo("a", `,"priority":100`), asBob)
	a := s.refused(api.CodeForbidden, "POST", "/v1/jobs", specTo("b", `,"priority":101`), asBob)
	if p := a.problem(t); !strings.Contains(p.Detail, "100") || !strings.Contains(p.Detail, "admin") {
		t.Error(p.Detail)
	}
	s.submit(specTo("b", `,"priority":1000`), asAlice)
	open := serve(t, func(c *server.Config) { c.MaxPriority = &ceiling })
	open.submit(specTo("a", `,"priority":1000`))
}

func TestEventStreamsOfACallerAreLimited(t *testing.T) {
	s := serve(t, func(c *server.Config) { withTokens(c); c.MaxStreams = 2 })
	id := s.submit(specTo("a", ""), asBob)
	path := "/v1/jobs/" + string(id) + "/events"
	follow := func() io.Closer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+path, nil)
		must(t, err)
		req.Header.Set("Authorization", "Bearer carol's")
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		return resp.Body
	}
	one, other := follow(), follow()
	defer other.Close()
	a := s.refused(api.CodeTooManyStreams, "GET", path, "", asCarol)
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	must(t, one.Close())
	waitFor(t, "room for another stream", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+path, nil)
		must(t, err)
		req.Header.Set("Authorization", "Bearer carol's")
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
}

// waitFor waits until a condition is true.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for begun := time.Now(); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// endedJob makes a job of bob that was cancelled and cleaned up.
func (s *service) endedJob(output string) job.ID {
	s.t.Helper()
	id := s.submit(specTo(output, ""), asBob)
	must(s.t, s.store.Stop(s.t.Context(), id, state.AnyStage, job.Cancelled, job.Failure{Class: job.ClassJob}))
	must(s.t, s.store.Forget(s.t.Context(), id, state.AnyStage, time.Hour))
	return id
}

func TestDeleteJob(t *testing.T) {
	s := serve(t, func(c *server.Config) {
		withTokens(c)
		boss, err := controller.New(t.Context(), controller.Config{ID: "boss", Store: c.Store, Open: c.Open, Work: c.Work, Log: c.Log, Durable: true})
		must(t, err)
		c.Submit, c.Delete = boss.SubmitFor, boss.Delete
	})
	running := "/v1/jobs/" + string(s.submit(specTo("running", ""), asBob))
	if a := s.refused(api.CodeJobNotEnded, "DELETE", running, "", asAlice); a.status != http.StatusConflict {
		t.Error(a.status)
	}
	ended := s.endedJob("ended")
	log := layout.Layout{Prefix: "bm", Job: ended, Spread: 1}.LogFolder() + "m0.1.log"
	for _, url := range []string{"s3://work/" + log, "s3://outbox/ended/part-00000"} {
		s.put(url, "text")
	}
	path := "/v1/jobs/" + string(ended)
	s.refused(api.CodeForbidden, "DELETE", path, "", asCarol)
	if a := s.refused(api.CodeForbidden, "DELETE", path, "", asDora); !strings.Contains(a.problem(t).Detail, "admin") {
		t.Errorf("%s", a.body)
	}
	if a := s.ask("DELETE", path, "", asBob); a.status != http.StatusNoContent || len(a.body) > 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, method := range []string{"GET", "DELETE"} {
		s.refused(api.CodeJobNotFound, method, path, "", asBob)
	}
	if a := s.ask("GET", "/v1/jobs", "", asBob); strings.Contains(string(a.body), string(ended)) {
		t.Errorf("it is listed: %s", a.body)
	}
	for _, key := range s.programs() {
		if strings.Contains(key, string(ended)) {
			t.Errorf("%s is left", key)
		}
	}
	if a := s.ask("GET", "/v1/objects/outbox/ended/part-00000", "", asBob); string(a.body) != "text" {
		t.Errorf("the output is gone: %s", a.body)
	}
	// An admin may delete a job of another caller.
	must(t, s.client("alice's").DeleteJob(t.Context(), s.endedJob("another")))
}

// A failed job that is kept for a retry ends first.
func TestDeleteKeptJob(t *testing.T) {
	var boss *controller.Controller
	s := serve(t, nil)
	boss = s.control(func(c *controller.Config) { c.KeepFailed = time.Hour })
	deleting := serve(t, func(c *server.Config) { c.Store, c.Open, c.Delete = s.store, s.folders.open, boss.Delete })
	s.put("s3://inbox/books/a.txt", "text")
	id := s.submit(specTo("kept", ""))
	waitPhase := func(want job.Phase) {
		t.Helper()
		waitFor(t, string(want), func() bool {
			phase, err := s.store.Phase(t.Context(), id)
			must(t, err)
			return phase == want
		})
	}
	waitPhase(job.PhaseMap)
	must(t, s.store.Stop(t.Context(), id, state.AnyStage, job.Failed, job.Failure{Class: job.ClassJob, Message: "no"}))
	waitPhase(job.PhaseKept)
	if a := deleting.ask("DELETE", "/v1/jobs/"+string(id), ""); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.refused(api.CodeJobNotFound, "GET", "/v1/jobs/"+string(id), "")
}

// All ids have one form. They begin with their time, unless an idempotency key has none, and one
// key always gives one id.
func TestJobIDsAreOfOneKind(t *testing.T) {
	s := serve(t, withTokens)
	before := job.NewID()
	ids := map[job.ID]bool{}
	for i, headers := range [][]string{
		{asBob}, {asBob, "Idempotency-Key: nightly"}, {asDora, "Idempotency-Key: nightly"}, {asBob, "Idempotency-Key: " + strings.ToUpper(string(before))},
	} {
		id := s.submit(specTo(fmt.Sprint(i), ""), headers...)
		if len(id) != 26 || strings.ToLower(string(id)) != string(id) || strings.ContainsAny(string(id), "-_ilou") || id[0] > '7' {
			t.Errorf("%s is another kind of id", id)
		}
		ids[id] = true
		if i == 3 && (id[:10] != before[:10] || id == before) {
			t.Errorf("%s does not have the time of %s, or is it", id, before)
		}
		if a := s.ask("POST", "/v1/jobs", specTo(fmt.Sprint(i), ""), headers...); i > 0 && (a.status != http.StatusOK || !strings.Contains(string(a.body), string(id))) {
			t.Errorf("again: %d %s", a.status, a.body)
		}
		if i > 0 {
			s.refused(api.CodeJobConflict, "POST", "/v1/jobs", specTo("x", ""), headers...)
		}
	}
	if len(ids) != 4 {
		t.Errorf("%v", ids)
	}
	// Those of our client begin with their time.
	c := s.client("bob's")
	spec, err := jobfile.Parse([]byte(specTo("client", "")))
	must(t, err)
	early := job.NewID()
	submitted, err := c.Submit(t.Context(), client.Submission{Spec: spec})
	must(t, err)
	if late := job.NewID(); submitted.ID[:10] < early[:10] || submitted.ID[:10] > late[:10] {
		t.Errorf("%s is not between %s and %s", submitted.ID, early, late)
	}
}

func TestJobsAreFoundByTheBeginningsOfTheirIDs(t *testing.T) {
	s := serve(t, nil)
	ids := []job.ID{"01m8aaaaaaaaaaaaaaaaaaaaaa", "01m8aaaaaaaaaaaaaaaaaaaaab", "01m8b", "k-0123456789abcdef0123456789abcdef"}
	for i, id := range ids {
		_, err := s.store.Submit(t.Context(), id, "n", 0, []byte(specTo(fmt.Sprint(i), "")))
		must(t, err)
	}
	var j api.Job
	for prefix, want := range map[string]job.ID{
		"k-01": ids[3], "k-0123456789abcdef0123456789abcde": ids[3], "01m8b": ids[2], string(ids[0]): ids[0], string(ids[3]): ids[3],
	} {
		a := s.ask("GET", "/v1/jobs/"+prefix, "")
		if err := json.Unmarshal(a.body, &j); err != nil || j.ID != want && len(prefix) < 26 {
			t.Errorf("%s: %d %s", prefix, a.status, a.body)
		}
	}
	a := s.refused(api.CodeAmbiguousID, "GET", "/v1/jobs/01m8", "")
	for _, id := range ids[:3] {
		if !strings.Contains(a.problem(t).Detail, string(id)) {
			t.Errorf("%s is not in %s", id, a.body)
		}
	}
	for _, prefix := range []string{"01m", "01m9", "k-0", "zzzz", "01m8c", "01m8*"} {
		s.refused(api.CodeJobNotFound, "GET", "/v1/jobs/"+prefix, "")
	}
	for _, path := range []string{"counters", "tasks"} {
		if a := s.ask("GET", "/v1/jobs/k-01/"+path, ""); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := s.ask("POST", "/v1/jobs/k-01/cancel", ""); !strings.Contains(string(a.body), `"CANCELLED"`) || !strings.Contains(string(a.body), string(ids[3])) {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.refused(api.CodeAmbiguousID, "POST", "/v1/jobs/01m8/cancel", "")
}

// Listings read no specs, so that they need little memory even if the specs are large.
func TestListingsReadNoSpecs(t *testing.T) {
	srv := testservices.NewRedis(t)
	rdb := redis.NewClient(&redis.Options{Addr: srv.Addr})
	store := state.New(rdb, state.DefaultNamespace)
	t.Cleanup(func() { must(t, store.Close()) })
	s := serve(t, func(c *server.Config) { c.Store = store })
	large := `,"params":{"x":"` + strings.Repeat("v", 60_000) + `"}`
	for i := range 20 {
		_, err := store.Submit(t.Context(), job.ID(fmt.Sprintf("job-%02d", i)), "n", 0, []byte(specTo(fmt.Sprint(i), large)))
		must(t, err)
	}
	sent := func() (n int64) {
		t.Helper()
		text, err := rdb.Info(t.Context(), "stats").Result()
		must(t, err)
		_, after, _ := strings.Cut(text, "total_net_output_bytes:")
		_, err = fmt.Sscan(after, &n)
		must(t, err)
		return n
	}
	before := sent()
	a := s.ask("GET", "/v1/jobs?limit=500", "")
	var list api.JobList
	if err := json.Unmarshal(a.body, &list); err != nil || len(list.Jobs) != 20 || list.Jobs[0].Program != "wordcount" || !strings.HasPrefix(list.Jobs[19].Output, "s3://outbox/") {
		t.Errorf("%v %.300s", err, a.body)
	}
	if n := sent() - before; n > 100_000 {
		t.Errorf("a listing of 20 jobs reads %d bytes of Redis", n)
	}
}

// While Redis is full, answers say so.
func TestRedisIsFull(t *testing.T) {
	srv := testservices.NewRedis(t)
	rdb := redis.NewClient(&redis.Options{Addr: srv.Addr})
	store := state.New(rdb, state.DefaultNamespace)
	t.Cleanup(func() { must(t, store.Close()) })
	s := serve(t, func(c *server.Config) { c.Store = store; c.MaxJobs = 1000 })
	id := s.submit(specTo("a", ""))
	must(t, rdb.ConfigSet(t.Context(), "maxmemory", "1mb").Err())
	for _, request := range [][2]string{{"/v1/jobs", specTo("b", "")}, {"/v1/jobs/" + string(id) + "/cancel", ""}} {
		a := s.refused(api.CodeStateFull, "POST", request[0], request[1])
		if p := a.problem(t); a.status != http.StatusServiceUnavailable || !strings.Contains(p.Detail, "OOM") || p.Hint == "" || a.header.Get("Retry-After") == "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := s.ask("GET", "/v1/jobs/"+string(id), ""); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	// In the middle of a submission, too.
	must(t, rdb.ConfigSet(t.Context(), "maxmemory", "8mb").Err())
	large := `,"params":{"x":"` + strings.Repeat("v", 60_000) + `"}`
	for i := range 1000 {
		spec := strings.Replace(specTo(fmt.Sprint(i), large), `"program":"wordcount"`, `"mapper":"cat"`, 1)
		if a := s.ask("POST", "/v1/jobs", spec); a.status != http.StatusCreated {
			if p := a.problem(t); p.Code != api.CodeStateFull {
				t.Errorf("after %d jobs: %s", i, a.body)
			}
			break
		}
	}
	must(t, rdb.ConfigSet(t.Context(), "maxmemory", "0").Err())
	s.submit(specTo("b", ""))
}

// A client that does not read its answer does not hold the server's memory for long.
func TestUnreadAnswersAreGivenUp(t *testing.T) {
	s := serve(t, func(c *server.Config) { c.AnswerGrace = 300 * time.Millisecond })
	id := s.submit(specTo("a", ""))
	// The answer has 60 MB, which no socket's buffers hold.
	counters := map[string]int64{}
	name := strings.Repeat("c", 100_000)
	for i := range 600 {
		counters[fmt.Sprint(i, name)] = 1
	}
	must(t, s.store.FinishFound(t.Context(), id, state.AnyStage, counters))
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	must(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET /v1/jobs/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", id)
	must(t, err)
	waitFor(t, "the end of the connection", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			if c.RemoteAddr().String() == conn.LocalAddr().String() {
				return false
			}
		}
		return true
	})
}

// A connection may idle for longer than an answer may wait, and still has its next answer.
func TestAnswersOnAConnectionThatIdled(t *testing.T) {
	const grace = 100 * time.Millisecond
	s := serve(t, func(c *server.Config) { c.AnswerGrace = grace })
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	must(t, err)
	defer conn.Close()
	r := bufio.NewReader(conn)
	for _, path := range []string{"/v1/jobs", "/healthz", "/v1/jobs/none", "/v1/jobs"} {
		_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
		must(t, err)
		resp, err := http.ReadResponse(r, nil)
		must(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		must(t, errors.Join(err, resp.Body.Close()))
		<-time.After(2 * grace) // the test needs this time to pass
	}
}
