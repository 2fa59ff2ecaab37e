package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/bucketmill/bucketmill/api/server"
)

func TestTokenCommand(t *testing.T) {
	t.Parallel()
	shown := regexp.MustCompile(`^bucketmill: the secret of alice, shown only now: ([A-Z2-7]{26})\n$`)
	r := command(t.Context(), "token", "alice", "admin")
	secret := shown.FindStringSubmatch(r.stderr)
	if r.code != exitDone || secret == nil || r.stdout != "alice admin "+server.HashToken(secret[1])+"\n" {
		t.Fatalf("%+v", r)
	}
	file := filepath.Join(t.TempDir(), "tokens")
	must(t, os.WriteFile(file, []byte("# no newline at the end"), 0o600))
	for _, role := range []string{"read", "submit"} {
		if r := command(t.Context(), "token", "alice", role, "--file", file); r.code != exitDone || r.stdout != "" || !shown.MatchString(r.stderr) {
			t.Errorf("%+v", r)
		}
	}
	text, err := os.ReadFile(file)
	must(t, err)
	if tokens, err := server.ParseTokens(string(text)); err != nil || len(tokens) != 2 || tokens[1].Role != server.RoleSubmit {
		t.Errorf("%s: %v", text, err)
	}
	made := filepath.Join(t.TempDir(), "new")
	command(t.Context(), "token", "alice", "read", "--file", made)
	if info, err := os.Stat(made); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	for _, args := range [][]string{{"token", "alice"}, {"token", "alice", "root"}, {"token", "a b", "read"}, {"token", "#a", "read"}, {"token", "", "read"}} {
		if r := command(t.Context(), args...); r.code != exitUsage || r.stdout != "" {
			t.Errorf("%q: %+v", args, r)
		}
	}
}
