package state

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/test/testservices"
)

func TestServerIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args    []string
		refused string // part of the error; "": no error
		warned  string // part of the log; "": nothing logged
	}{
		"as it should be":         {[]string{"--maxmemory", "100mb", "--appendonly", "yes"}, "", ""},
		"snapshots":               {[]string{"--save", "60 1"}, "", ""},
		"no limit, no need":       {[]string{"--maxmemory-policy", "allkeys-lru", "--appendonly", "yes"}, "", ""},
		"evicts":                  {[]string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}, "CONFIG SET maxmemory-policy noeviction", ""},
		"evicts keys with a TTL":  {[]string{"--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl"}, "maxmemory-policy volatile-ttl removes keys", ""},
		"CONFIG is forbidden":     {[]string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--rename-command", "CONFIG", ""}, "allkeys-lru", ""},
		"forgets":                 {nil, "", "keeps nothing on disk"},
		"forgets, does not tell":  {[]string{"--rename-command", "CONFIG", ""}, "", ""},
		"tells nothing":           {[]string{"--rename-command", "INFO", ""}, "", "does not tell how it is set up"},
		"lacks streams and a pop": {[]string{"--appendonly", "yes", "--rename-command", "XADD", "", "--rename-command", "BLPOP", ""}, "it lacks BLPOP, XADD", ""},
		"does not list commands":  {[]string{"--appendonly", "yes", "--rename-command", "COMMAND", ""}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "tells nothing" {
				checkMute(t)
				return
			}
			checkServer(t, open(t, testservices.NewRedis(t, c.args...).Addr), c.refused, c.warned)
		})
	}
}

// checkMute checks a server that does not answer INFO. Its own test needs INFO to become ready, so
// a user is created who may not use it.
func checkMute(t *testing.T) {
	server := testservices.NewRedis(t)
	must(t, open(t, server.Addr).rdb.Do(t.Context(), "acl", "setuser", "shy", "on", ">pw", "~*", "+@all", "-info").Err())
	checkServer(t, connectTo(t, strings.Replace(server.URL, "://", "://shy:pw@", 1)), "", "does not tell how it is set up")
}

func TestEveryMasterIsChecked(t *testing.T) {
	t.Parallel()
	s := connectTo(t, testservices.NewRedisCluster(t, 3, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"))
	log := checkServer(t, s, "allkeys-lru", "")
	if log != "" {
		t.Errorf("warned: %s", log)
	}
	err := s.CheckServer(t.Context(), slog.New(slog.DiscardHandler))
	if n := strings.Count(err.Error(), "node 127.0.0.1:"); n != 3 {
		t.Errorf("%d nodes are complained about: %v", n, err)
	}
}

func checkServer(t *testing.T, s *Store, refused, warned string) string {
	t.Helper()
	var log bytes.Buffer
	err := s.CheckServer(t.Context(), slog.New(slog.NewTextHandler(&log, nil)))
	switch {
	case refused == "" && err != nil, refused != "" && (!errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), refused)):
		t.Errorf("got %v, want %q", err, refused)
	case warned == "" && log.Len() > 0, !strings.Contains(log.String(), warned):
		t.Errorf("logged %q, want %q", log.String(), warned)
	}
	return log.String()
}

func TestOldServerIsRefused(t *testing.T) {
	t.Parallel()
	info := parseInfo("# Server\r\nredis_version:4.0.14\r\n\r\n# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n")
	if err := checkVersion(info); !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "Redis 4.0.14") {
		t.Errorf("got %v", err)
	}
	for _, version := range []string{"5.0.0", "7.2.4", "255.255.255", ""} {
		if err := checkVersion(map[string]string{"redis_version": version}); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
}
