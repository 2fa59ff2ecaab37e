package main

import (
	"encoding/pem"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/api/server"
)

func TestServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	r := command(t.Context(), "list", "--server", "127.0.0.1:1")
	if r.code != exitFailed {
		t.Errorf("exit code %d", r.code)
	}
	checkComplaint(t, r, `^bucketmill: can't reach the server at 127\.0\.0\.1:1: .*refused \(is it running\? --server or BUCKETMILL_SERVER names another\)\n$`)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := serve(t, true, func(cfg *server.Config) {
		cfg.Tokens = []server.Token{{Name: "reader", Role: server.RoleRead, Hash: server.HashToken("secret")}}
	})
	s.must("list", "--token", "secret")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"list"}, `the request has no bearer token \(give a token with --token or BUCKETMILL_TOKEN\)`},
		{[]string{"list", "--token", "wrong"}, `the token is unknown`},
		{[]string{"cancel", "x", "--token", "secret"}, `requires the role submit; the token has the role read`},
	} {
		r := s.command(c.args...)
		if r.code != exitFailed {
			t.Errorf("%q: exit code %d", c.args, r.code)
		}
		checkComplaint(t, r, c.says)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	secure := httptest.NewTLSServer(s.api.Handler())
	defer secure.Close()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	folder := writeFiles(t, map[string]string{"ca.pem": string(certificate), "none.pem": "no certificate"})
	if r := command(t.Context(), "list", "--server", secure.URL, "--ca", filepath.Join(folder, "ca.pem")); r.code != exitDone {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	r := command(t.Context(), "list", "--server", secure.URL, "--ca", filepath.Join(folder, "none.pem"))
	if r.code != exitUsage {
		t.Errorf("exit code %d", r.code)
	}
	checkComplaint(t, r, `none\.pem: the file contains no PEM certificate`)
}

func TestClientMistakes(t *testing.T) {
	t.Parallel()
	s := serve(t, true, nil)
	checkComplaint(t, s.command("status", "last"), "there are no jobs")
	id := s.submit()
	missing := filepath.Join(t.TempDir(), "missing")
	for _, m := range []struct {
		args string
		code int
		says string
	}{
		{"status a b", 2, "takes one job"},
		{"status nope", 1, `nope.*"bucketmill list" shows`},
		{"status nope --watch", 1, `nope.*"bucketmill list" shows`},
		{"tasks nope", 1, "nope"},
		{"events nope", 1, "nope"},
		{"logs nope", 1, "nope"},
		{"results nope", 1, "nope"},
		{"cancel", 2, "name the jobs"},
		{"results " + id, 1, `is SUBMITTED \("bucketmill status" shows`},
		{"retry " + id, 1, "SUBMITTED.*only a job that has FAILED can be retried"},
		{"logs " + id, 1, "there are no logs"},
		{"logs " + id + " x", 2, `"x" is not a task such as m12`},
		{"logs " + id + " m0.1", 1, "no log"},
		{"tasks " + id + " --side up", 2, "must be map or reduce"},
		{"list --state done", 2, "is not one of SUBMITTED"},
		{"list extra", 2, "no arguments"},
		{"submit wordcount -o s3://outbox/x", 2, "input is missing"},
		{"submit wordcuont -i s3://inbox/x -o s3://outbox/x", 2, "did you mean wordcount"},
		{"submit wordcount -i local.txt -o s3://outbox/x", 1, "local.txt"},
		{"submit s3://inbox/no.py -i s3://inbox/x -o s3://outbox/x", 2, "s3://inbox/no.py"},
		{"put " + missing + " s3://inbox/x", 1, "missing: no such file"},
		{"put client_test.go inbox/x", 2, "use s3://BUCKET/KEY"},
		{"put client_test.go s3://inbox/../x", 2, "element"},
		{"get s3://inbox/nothing", 1, `"bucketmill ls s3://BUCKET/" lists`},
		{"get s3://inbox/nothing --json", 2, "--json needs a FILE"},
		{"get s3://inbox/nothing " + missing, 1, "inbox"},
		{"ls inbox", 2, "use s3://BUCKET/KEY"},
		{"list --server ftp://x", 2, "want http://host:port"},
	} {
		t.Run(m.args, func(t *testing.T) {
			args := append([]string{"--server", s.url}, strings.Fields(m.args)...)
			r := command(t.Context(), append(args[2:3:3], append(args[:2:2], args[3:]...)...)...)
			if r.code != m.code {
				t.Errorf("exit code %d, want %d", r.code, m.code)
			}
			checkComplaint(t, r, m.says)
		})
	}
	if names := tree(t, filepath.Dir(missing)); len(names) > 0 {
		t.Errorf("left behind: %q", names)
	}
}
