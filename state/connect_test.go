package state

import (
	"crypto/rand"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/test/testservices"
)

func TestURLsOfRedis(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"redis://h":                       "h:6379 db 0",
		"redis://:pw@h:1/3":               "h:1 db 3 :pw",
		"redis://u:pw@[::1]:1?db=3":       "[::1]:1 db 3 u:pw",
		"rediss://h":                      "h:6379 db 0 tls h",
		"unix://u:pw@/tmp/redis?db=2":     "/tmp/redis db 2 u:pw",
		"redis://:p%40%2Fw%3A@h":          "h:6379 db 0 :p@/w:",
		"redis+sentinel://a,b:2,[::1]/m":  "m of a:26379 b:2 [::1]:26379 db 0",
		"redis+sentinel://u:pw@a:1,b/m/4": "m of a:1 b:26379 db 4 u:pw",
		"Redis+Sentinel://a:1/m?db=4":     "m of a:1 db 4",
		"rediss+sentinel://:pw@a:1/m":     "m of a:1 db 0 :pw tls",
		"redis+sentinel://a/m?sentinel_username=su&sentinel_password=s%26p@": "m of a:26379 db 0 sentinel su:s&p@",
		"redis+cluster://u:pw@a,b:2,[fe80::1]:3":                             "cluster a:6379 b:2 [fe80::1]:3 u:pw",
		"rediss+cluster://a/0":                                               "cluster a:6379 tls",
	} {
		a, err := parseURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if got := describe(a); got != want {
			t.Errorf("%s: got %q, want %q", url, got, want)
		}
		if strings.Contains(a.where, "pw") {
			t.Errorf("%s: errors would say %q", url, a.where)
		}
	}
}

// describe returns what a client would do, in the test's words.
func describe(a *address) string {
	var words []string
	add := func(more ...string) { words = append(words, more...) }
	login := func(user, password string) {
		if user+password != "" {
			add(user + ":" + password)
		}
	}
	db := func(n int) { add("db", strconv.Itoa(n)) }
	switch {
	case a.single != nil:
		add(a.single.Addr)
		db(a.single.DB)
		login(a.single.Username, a.single.Password)
		if c := a.single.TLSConfig; c != nil {
			add("tls", c.ServerName)
		}
	case a.sentinel != nil:
		add(a.sentinel.MasterName, "of", strings.Join(a.sentinel.SentinelAddrs, " "))
		db(a.sentinel.DB)
		login(a.sentinel.Username, a.sentinel.Password)
		if c := a.sentinel.TLSConfig; c != nil {
			add("tls", c.ServerName)
		}
		if a.sentinel.SentinelPassword != "" {
			add("sentinel", a.sentinel.SentinelUsername+":"+a.sentinel.SentinelPassword)
		}
	case a.cluster != nil:
		add("cluster", strings.Join(a.cluster.Addrs, " "))
		login(a.cluster.Username, a.cluster.Password)
		if c := a.cluster.TLSConfig; c != nil {
			add("tls", c.ServerName)
		}
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

// A wrong URL is refused with the reason, and without the password.
func TestBadURLsOfRedis(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                        `"://" is missing`,
		"h:6379":                                  `"://" is missing`,
		"http://:secret@h":                        `scheme "http" is not one of`,
		"unix+sentinel://:secret@a/m":             `scheme "unix+sentinel" is not one of`,
		"redis+magic://:secret@a":                 `scheme "redis+magic" is not one of`,
		"redis://:secret@a,b":                     "takes one host",
		"redis://:secret@a/x":                     `database number: "x"`,
		"redis://:secret@a?loud=1":                "option: loud",
		"redis://:secret@a:secret":                "malformed",
		"redis://:secret%zz@a":                    "malformed",
		"redis://:sec/ret@a":                      "malformed",
		"redis://secret/x@a":                      "malformed",
		"redis://u:1?secret@a":                    "malformed",
		"redis://u:1?secret=1@a":                  "malformed",
		"redis://u:1#secret@a":                    "malformed",
		"redis+sentinel://:secret@a,b":            "master's name is missing",
		"redis+sentinel://:secret@a,/m":           "host 2 of 2 is malformed",
		"redis+sentinel://:secret@a:x/m":          "malformed",
		"redis+sentinel://:secret@a,b:x/m":        "host 2 of 2 is malformed",
		"redis+sentinel://:secret@a/m/x":          `database number: "x"`,
		"redis+sentinel://:secret@a/m/-1":         "database -1 is negative",
		"redis+sentinel://:secret@a/m?loud=1":     "option: loud",
		"redis+sentinel://a/m?password=secret":    "option password is not supported",
		"redis+sentinel://a/m?route_randomly=yes": "option route_randomly is not supported",
		"redis+sentinel:///m":                     "host 1 of 1 is malformed",
		"redis+cluster://:secret@a/3":             `a cluster has no databases: remove "/3"`,
		"redis+cluster://:secret@a?db=3":          "option: db",
		"redis+cluster://:secret@a?read_only=yes": "option read_only is not supported",
	} {
		err := CheckURL(url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
	}
}

func TestURLsAreRedacted(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                  "",
		"redis://h/0":                       "redis://h/0",
		"redis://user@h":                    "redis://user@h",
		"redis://:secret@h:1/0":             "redis://:xxxxx@h:1/0",
		"redis://u:sec/r?e@t@h":             "redis://u:xxxxx@h",
		"redis+sentinel://u:secret@a,b:1/m": "redis+sentinel://u:xxxxx@a,b:1/m",
		"redis+sentinel://:secret@a/m?sentinel_password=secret@&db=1": "redis+sentinel://:xxxxx@a/m?sentinel_password=xxxxx&db=1",
	} {
		if got := RedactURL(url); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
}

// Calls must not hang for minutes on a dead server; see the constants.
func TestOptionsOfRedis(t *testing.T) {
	t.Parallel()
	a, err := parseURL("redis+sentinel://a/m?dial_timeout=7s")
	must(t, err)
	if o := a.sentinel; o.DialTimeout != 7*time.Second || o.MaxRetries != maxRetries || o.DialerRetries != 1 || !o.ContextTimeoutEnabled {
		t.Errorf("sentinel: %+v", o)
	}
	a, err = parseURL("redis://a?max_retries=9")
	must(t, err)
	if o := a.single; o.DialTimeout != dialTimeout || o.MaxRetries != 9 || o.MinRetryBackoff != minRetryBackoff || !o.ContextTimeoutEnabled {
		t.Errorf("single: %+v", o)
	}
	a, err = parseURL("redis+cluster://a")
	must(t, err)
	if o := a.cluster; o.DialTimeout != dialTimeout || o.MaxRetries != 0 || o.MaxRedirects != maxRedirects || !o.ContextTimeoutEnabled {
		t.Errorf("cluster: %+v", o)
	}
}

// connectTo opens a store of its own for a test, by URL.
func connectTo(t *testing.T, url string) *Store {
	t.Helper()
	s, err := Connect(t.Context(), url, "test-"+rand.Text())
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func TestConnectBySentinel(t *testing.T) {
	t.Parallel()
	server := testservices.NewRedisSentinel(t, 1)
	s := connectTo(t, server.URL)
	started(t, s, "j", 1, 0)
	commit(t, s, "me", claim(t, s, "me", 1)...)
	inPhase(t, s, "j", job.PhasePublish)
	_, err := Connect(t.Context(), strings.Replace(server.URL, "/bucketmill", "/nobody", 1), DefaultNamespace)
	if err == nil || !strings.Contains(err.Error(), `do not know a master named "nobody"`) {
		t.Errorf("another master: %v", err)
	}
}

// Calls about several jobs work if their keys are on different nodes.
func TestClusterOfThree(t *testing.T) {
	t.Parallel()
	s := connectTo(t, testservices.NewRedisCluster(t, 3))
	ids := []job.ID{"a", "b", "c", "d", "e", "f", "g", "h"}
	for _, id := range ids {
		wholeLife(t, s, id)
	}
	var beats []Beat
	for _, id := range ids {
		id += "2"
		started(t, s, id, 2, 1)
	}
	for _, a := range claim(t, s, "me", 2*len(ids)) {
		beats = append(beats, Beat{Attempt: a, Progress: 5})
	}
	must(t, s.rdb.ScriptFlush(t.Context()).Err())
	lost, _, err := s.Renew(t.Context(), "me", lease, append(beats, Beat{Attempt: job.AttemptID{Job: "other", Task: job.TaskID{Side: job.Map}, Number: 1}}))
	if err != nil || len(lost) != 1 || lost[0].Job != "other" {
		t.Fatalf("lost %v, %v", lost, err)
	}
	must(t, s.ReportExecutor(t.Context(), ExecutorInfo{ID: "me"}, time.Minute))
	must(t, s.ReportExecutor(t.Context(), ExecutorInfo{ID: "you"}, time.Minute))
	if all, err := s.Executors(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("executors %v, %v", all, err)
	}
	if history, err := s.History(t.Context(), 0, 100); err != nil || len(history) != len(ids) {
		t.Errorf("history %v, %v", history, err)
	}
	if active, err := s.Active(t.Context()); err != nil || len(active) != len(ids) {
		t.Errorf("active %v, %v", active, err)
	}
	for _, b := range beats {
		j := inPhase(t, s, b.Attempt.Job, job.PhaseMap)
		if running, err := s.Running(t.Context(), j.ID); err != nil || len(running) != 2 || running[0].Progress != 5 {
			t.Errorf("running %v, %v", running, err)
		}
		if tasks, err := s.Tasks(t.Context(), j, job.Map, 0, 10); err != nil || len(tasks) != 2 {
			t.Errorf("tasks %v, %v", tasks, err)
		}
		if events, err := s.Events(t.Context(), j.ID, "", time.Millisecond); err != nil || len(events) == 0 {
			t.Errorf("events %v, %v", events, err)
		}
	}
	must(t, s.WaitWork(t.Context(), time.Second))
	must(t, s.Drop(t.Context(), ids...))
}
