package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketmill/bucketmill/api/server"
)

// A server that must require tokens, but has none, does not start.
func TestTokensFileWithoutTokens(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"empty": "", "comments": "# bob submit\n\n"})
	for _, file := range []string{os.DevNull, filepath.Join(folder, "empty"), filepath.Join(folder, "comments")} {
		for _, args := range [][]string{
			{"controller", "--listen", "127.0.0.1:0", "--store", "s3://work", "--redis", "redis://127.0.0.1:1/0"},
			{"controller", "--listen", "192.0.2.1:1", "--store", "s3://work", "--redis", "redis://127.0.0.1:1/0"},
			{"dev", "--listen", "127.0.0.1:0", "--data", filepath.Join(folder, "data")},
		} {
			r := command(t.Context(), append(args, "--tokens", file)...)
			if r.code != exitUsage {
				t.Errorf("%q with --tokens %s: exit code %d", args, file, r.code)
			}
			checkComplaint(t, r, `tokens of `+regexp.QuoteMeta(file)+`: the file contains no token, so the server would admit no one`)
		}
	}
}

// An empty setting does not open the server.
func TestTokensWithoutAName(t *testing.T) {
	service := []string{"controller", "--listen", "127.0.0.1:0", "--store", "s3://work", "--redis", "redis://127.0.0.1:1/0"}
	file := filepath.Join(writeFiles(t, map[string]string{"c.yaml": "tokens: ''\n"}), "c.yaml")
	t.Setenv("BUCKETMILL_TOKENS", "")
	checkComplaint(t, command(t.Context(), service...), `BUCKETMILL_TOKENS: tokens: .*name of the file is empty`)
	must(t, os.Unsetenv("BUCKETMILL_TOKENS"))
	checkComplaint(t, command(t.Context(), append(service, "--tokens", "")...), `--tokens.*name of the file is empty`)
	checkComplaint(t, command(t.Context(), append(service, "--config", file)...), `tokens: .*name of the file is empty`)
}

// devServer is a "bucketmill dev" with its own cache folder.
type devServer struct {
	*serverProcess
	url   string
	cache string
}

func startDev(t *testing.T, args ...string) devServer {
	t.Helper()
	d := devServer{cache: t.TempDir()}
	d.serverProcess = startProcess(t, d.env(), append([]string{"dev", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--slots", "1"}, args...)...)
	ready := regexp.MustCompile(`controller is ready.* api=(\S+)`)
	eventually(t, "dev to listen", func() bool {
		found := ready.FindStringSubmatch(d.stderr.String())
		if found != nil {
			d.url = found[1]
		}
		return found != nil
	})
	return d
}

func (d devServer) env() []string {
	return []string{"XDG_CACHE_HOME=" + d.cache, "BUCKETMILL_TOKEN="}
}

// ask returns the status of a request with this token, or without one if it is empty.
func (d devServer) ask(token string) int {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.url+"/v1/jobs", nil)
	must(d.t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	must(d.t, err)
	must(d.t, resp.Body.Close())
	return resp.StatusCode
}

// client runs a client command as the server's user.
func (d devServer) client(args ...string) *serverProcess {
	d.t.Helper()
	p := startProcess(d.t, d.env(), args...)
	p.wait(patience)
	return p
}

// Jobs of dev run as its user: no one else has access, and the user needs to do nothing for that.
func TestDevHasATokenOfItsOwn(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	if status := d.ask(""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(d.url, "http://"))
	must(t, err)
	host, err := os.Hostname()
	must(t, err)
	file := filepath.Join(d.cache, "bucketmill", "tokens", host, "127.0.0.1_"+port)
	for name, mode := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): os.ModeDir | 0o700} {
		if info, err := os.Lstat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	secret, err := os.ReadFile(file)
	must(t, err)
	if status := d.ask(strings.TrimSpace(string(secret))); status != http.StatusOK {
		t.Errorf("with the token of the file: %d", status)
	}
	if log := d.stderr.String(); !strings.Contains(log, file) || strings.Contains(log, strings.TrimSpace(string(secret))) {
		t.Errorf("a log, which is not a terminal, must name the file and not contain the token:\n%s", log)
	}
	for _, server := range []string{d.url, "127.0.0.1:" + port, "http://localhost:" + port, "localhost:" + port} {
		if p := d.client("list", "--server", server); p.err != nil {
			t.Errorf("--server %s: %v %s", server, p.err, p.stderr.String())
		}
	}
	// Another server on the same machine gets no token.
	other := serve(t, true, func(cfg *server.Config) {
		cfg.Tokens = []server.Token{{Name: "x", Role: server.RoleRead, Hash: server.HashToken(strings.TrimSpace(string(secret)))}}
	})
	if p := d.client("list", "--server", other.url); p.err == nil {
		t.Error("another server got the token")
	}
	// A file that other users can read is not trusted.
	must(t, os.Chmod(file, 0o644))
	if p := d.client("list", "--server", d.url); p.cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(p.stderr.String(), "only this user can read") {
		t.Errorf("a token that others can read: %s", p.stderr.String())
	}
	must(t, os.Chmod(file, 0o600))
	d.signal(syscall.SIGTERM)
	d.wait(patience)
	if _, err := os.Lstat(file); !os.IsNotExist(err) {
		t.Errorf("the token was not removed: %v", err)
	}
}

func TestDevWithoutTokens(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--no-auth")
	if status := d.ask(""); status != http.StatusOK {
		t.Errorf("without a token: %d", status)
	}
	eventually(t, "a warning", func() bool { return strings.Contains(d.stderr.String(), "level=WARN msg=\"the API requires no token") })
	if p := d.client("list", "--server", d.url); p.err != nil {
		t.Error(p.stderr.String())
	}
}

// Access can be given and revoked while a server runs.
func TestTokensAreReadAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) {
		t.Helper()
		must(t, os.WriteFile(file+".new", []byte(text), 0o600))
		must(t, os.Rename(file+".new", file))
	}
	line := func(name string) string { return fmt.Sprintf("%s read %s\n", name, server.HashToken(name)) }
	write(line("ann"))
	d := startDev(t, "--tokens", file)
	said := func(what string) {
		t.Helper()
		eventually(t, what, func() bool { return strings.Contains(d.stderr.String(), what) })
	}
	check := func(ann, bob int) {
		t.Helper()
		if a, b := d.ask("ann"), d.ask("bob"); a != ann || b != bob {
			t.Errorf("ann is answered %d, bob %d; want %d and %d", a, b, ann, bob)
		}
	}
	check(200, 401)
	write(line("ann") + line("bob"))
	said("tokens=2")
	check(200, 200)
	write(line("bob") + "ann read\n")
	said("earlier ones stay valid")
	check(200, 200)
	write("# nobody\n")
	said("no one is admitted")
	check(401, 401)
	write(line("bob"))
	eventually(t, "bob", func() bool { return d.ask("bob") == 200 })
	check(401, 200)
	must(t, os.Remove(file))
	eventually(t, "a word about the file that is gone", func() bool { return strings.Contains(d.stderr.String(), "no such file") })
	check(401, 200)
}
