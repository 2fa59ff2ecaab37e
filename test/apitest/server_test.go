package apitest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/api/server"
	"github.com/bucketmill/bucketmill/test/testservices"
)

// testServer is a cluster of a controller and an executor.
type testServer struct {
	url    string
	token  string   // of an admin
	env    []string // of its processes
	binary string
	log    string // file
}

// words is what the clients' jobs count, and counted the result.
const (
	words   = "b a\na c\n"
	counted = "a\t2\nb\t1\nc\t1\n"
)

// start starts a server with objects in its buckets inbox and outbox.
func start(t *testing.T) *testServer {
	t.Helper()
	redis, store := testservices.NewRedis(t), testservices.NewMinIO(t)
	dir := t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := listener.Addr().String()
	must(t, listener.Close())
	s := &testServer{
		url: "http://" + address, token: rand.Text(), binary: filepath.Join(dir, "bucketmill"), log: filepath.Join(dir, "log"),
		env: []string{"AWS_ACCESS_KEY_ID=" + store.AccessKey, "AWS_SECRET_ACCESS_KEY=" + store.SecretKey},
	}
	run(t, "../..", nil, "go", "build", "-o", s.binary, "./cmd/bucketmill")
	tokens := filepath.Join(dir, "tokens")
	must(t, os.WriteFile(tokens, []byte("tester admin "+server.HashToken(s.token)+"\n"), 0o600))
	cluster := []string{"--redis", redis.URL, "--store", "s3://work", "--s3-endpoint", store.Endpoint}
	s.process(t, append([]string{"controller", "--listen", address, "--tokens", tokens}, cluster...)...)
	s.process(t, append([]string{"executor", "--scratch", filepath.Join(dir, "scratch")}, cluster...)...)
	s.await(t)
	for _, bucket := range []string{"inbox", "outbox"} {
		s.put(t, "/v1/objects/"+bucket, "")
	}
	s.put(t, "/v1/objects/inbox/clients/words.txt", words)
	return s
}

// process starts a process that ends with the test.
func (s *testServer) process(t *testing.T, args ...string) {
	t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	must(t, err)
	defer log.Close()
	cmd := exec.Command(s.binary, args...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		select {
		case err := <-ended:
			t.Errorf("%s has ended: %v\n%s", args[0], err, s.tail())
			return
		default:
		}
		must(t, cmd.Process.Signal(syscall.SIGTERM))
		if err := <-ended; err != nil {
			t.Logf("%s, told to end: %v", args[0], err)
		}
	})
}

// await waits until the server is ready.
func (s *testServer) await(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
		must(t, err)
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			must(t, resp.Body.Close())
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the server is not ready: %v\n%s", err, s.tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *testServer) put(t *testing.T, path, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.url+path, strings.NewReader(text))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if must(t, err); resp.StatusCode >= 300 {
		t.Fatalf("PUT %s: %s %s", path, resp.Status, answer)
	}
}

// tail returns the end of the log.
func (s *testServer) tail() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// run runs a program in a folder, and returns its output. Env is added to the test's own
// environment.
func run(t *testing.T, dir string, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// copyTo copies a file of testdata.
func copyTo(t *testing.T, name, to string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	must(t, err)
	must(t, os.MkdirAll(filepath.Dir(to), 0o700))
	must(t, os.WriteFile(to, text, 0o600))
}

// clientEnv returns the environment that the generated clients read.
func (s *testServer) clientEnv() []string {
	return []string{"SERVER=" + s.url, "TOKEN=" + s.token, fmt.Sprintf("WANT=%s", counted)}
}
