package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is a process that runs until its case ends.
type server struct {
	name string
	cmd  *exec.Cmd
	log  string // file
	done chan struct{}
}

// session returns the session of all its processes.
func (s *server) session() int { return s.cmd.Process.Pid }

// How long servers may take to start, and how often they are polled.
const (
	startWait = 60 * time.Second
	startPoll = 20 * time.Millisecond
)

// serve starts a server that ends with the case.
func (b *bench) serve(name, program string, env []string, args ...string) (*server, error) {
	folder, err := os.MkdirTemp(b.folder, name+"-")
	if err != nil {
		return nil, err
	}
	s := &server{name: name, log: filepath.Join(folder, "log"), done: make(chan struct{})}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own descriptor
	s.cmd = exec.Command(program, args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = folder, log, log
	s.cmd.Env = append([]string{"HOME=" + folder, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + folder}, env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait() // await reports an early end, with the log
	}()
	b.atEnd(func() error {
		killGroup(s.session())
		<-s.done
		return os.RemoveAll(folder)
	})
	return s, nil
}

// await polls a server until ask succeeds.
func (s *server) await(ctx context.Context, ask func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return s.startError(errors.New("it ended"))
		case <-ctx.Done():
			return s.startError(err)
		case <-tick.C:
		}
	}
}

func (s *server) startError(err error) error {
	text, logErr := os.ReadFile(s.log)
	return fmt.Errorf("%s did not start: %w\n%s", s.name, errors.Join(err, logErr), tail(text))
}

// findProgram finds a server program: by the variable env, in .tools/bin, or on PATH.
func (b *bench) findProgram(name, env string) (string, error) {
	if path := os.Getenv(env); path != "" {
		found, err := exec.LookPath(path)
		if err != nil {
			return "", fmt.Errorf("%s: %w", env, err)
		}
		return found, nil
	}
	for _, path := range []string{filepath.Join(b.repository, ".tools/bin", name), name} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("bench needs %s: run \"make tools\", or set %s to its path", name, env)
}

// freeAddress returns a local address on which nothing listened a moment ago.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// redisServer is a Redis that stores nothing on disk.
type redisServer struct {
	*server
	url    string
	client *redis.Client
}

func (b *bench) startRedis(ctx context.Context) (*redisServer, error) {
	program, err := b.findProgram("redis-server", "BUCKETMILL_REDIS_SERVER")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	s, err := b.serve("redis", program, nil, "--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")
	if err != nil {
		return nil, err
	}
	r := &redisServer{server: s, url: "redis://" + address + "/0", client: redis.NewClient(&redis.Options{Addr: address})}
	b.atEnd(r.client.Close)
	return r, s.await(ctx, func(ctx context.Context) error { return r.client.Ping(ctx).Err() })
}

// resetCalls resets the counts of calls.
func (r *redisServer) resetCalls(ctx context.Context) error {
	return r.client.ConfigResetStat(ctx).Err()
}

// calls returns the number of commands since resetCalls: scripts, each of which is a round trip,
// and all commands, including those that scripts call.
func (r *redisServer) calls(ctx context.Context) (scripts, all float64, err error) {
	info, err := r.client.Info(ctx, "commandstats").Result()
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(info) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ":calls=")
		if !ok {
			continue
		}
		count, _, _ := strings.Cut(rest, ",")
		n, err := strconv.ParseFloat(count, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("read commandstats %q: %w", line, err)
		}
		all += n
		if strings.HasPrefix(name, "cmdstat_eval") {
			scripts += n
		}
	}
	return scripts, all, nil
}

// minioServer is a MinIO with one drive.
type minioServer struct {
	*server
	endpoint string
	env      []string // gives the programs its credentials
	access   string
	secret   string
}

func (b *bench) startMinIO(ctx context.Context) (*minioServer, error) {
	program, err := b.findProgram("minio", "BUCKETMILL_MINIO_SERVER")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	m := &minioServer{endpoint: "http://" + address, access: rand.Text(), secret: rand.Text()}
	m.env = []string{
		"AWS_ACCESS_KEY_ID=" + m.access, "AWS_SECRET_ACCESS_KEY=" + m.secret, "AWS_REGION=us-east-1",
		"AWS_ENDPOINT_URL=" + m.endpoint, "AWS_PROFILE=",
	}
	m.server, err = b.serve("minio", program, []string{
		"MINIO_ROOT_USER=" + m.access, "MINIO_ROOT_PASSWORD=" + m.secret, "MINIO_PROMETHEUS_AUTH_TYPE=public",
		"MINIO_BROWSER=off", "MINIO_UPDATE=off",
	}, "server", "--quiet", "--address", address, "drive")
	if err != nil {
		return nil, err
	}
	return m, m.await(ctx, func(ctx context.Context) error {
		_, err := m.requests(ctx)
		return err
	})
}

// requests are the counts of a MinIO's requests by kind, from its own metrics.
type requests map[string]float64

// requestKinds maps operations to kinds: those of one kind cost the same.
var requestKinds = map[string]string{
	"GetObject": "GET", "HeadObject": "HEAD", "HeadBucket": "HEAD",
	"PutObject": "PUT", "NewMultipartUpload": "PUT", "PutObjectPart": "PUT", "CompleteMultipartUpload": "PUT",
	"ListObjectsV2": "LIST", "ListMultipartUploads": "LIST",
	"DeleteObject": "DELETE", "DeleteMultipleObjects": "DELETE", "AbortMultipartUpload": "DELETE",
}

func (m *minioServer) requests(ctx context.Context) (_ requests, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.endpoint+"/minio/metrics/v3/api/requests", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read MinIO's metrics: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read MinIO's metrics: %s: %s", resp.Status, tail(text))
	}
	return parseRequests(string(text))
}

// parseRequests parses MinIO's metrics, in the text format of Prometheus.
func parseRequests(text string) (requests, error) {
	counts := requests{}
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, `minio_api_requests_total{name="`)
		if !ok {
			continue
		}
		name, rest, _ := strings.Cut(rest, `"`)
		_, value, _ := strings.Cut(rest, "} ")
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return nil, fmt.Errorf("read MinIO's metrics: %q: %w", line, err)
		}
		if kind, ok := requestKinds[name]; ok {
			counts[kind] += n
		}
	}
	return counts, nil
}

// since returns the counts since before, as figures.
func (r requests) since(before requests) (figures []figure) {
	for _, kind := range []string{"GET", "PUT", "LIST", "HEAD", "DELETE"} {
		figures = append(figures, figure{name: kind, value: r[kind] - before[kind]})
	}
	return figures
}
