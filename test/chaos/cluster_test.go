package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/redis/go-redis/v9"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/test/chaos/proxy"
	"github.com/bucketmill/bucketmill/test/testservices"
)

// The buckets.
const (
	inputBucket  = "inbox"
	outputBucket = "outbox"
	workBucket   = "work"
	workPrefix   = "mill"
)

const (
	lease      = 3 * time.Second
	heartbeat  = time.Second
	keepFailed = 2 * time.Second
)

// cluster is all processes of a run. The harness itself reaches Redis and MinIO without proxies.
type cluster struct {
	t       *testing.T
	folder  string       // logs, scratch folders, programs, evidence
	disk    string       // a small disk, the scratch folder of the first executor; "": none
	unmount func() error // of disk
	seed    uint64
	begun   time.Time
	events  *os.File // the log of faults and jobs

	redis *testservices.RedisServer
	minio *testservices.MinIOServer
	rdb   *redis.Client
	s3    *minio.Client

	controllers []*service
	executors   []*service

	recovery recoveries
	crippled sync.Map // job.ID -> true, of jobs that have lost something that can't be made again

	mu       sync.Mutex
	findings []string // guarded by mu: mistakes that belong to no job
	over     bool     // guarded by mu: no process restarts
}

// settings are the differences between clusters.
type settings struct {
	executors      int
	executorArgs   []string
	controllerArgs []string
	controllers    int
}

// newCluster starts the servers; begin starts the rest.
func newCluster(t *testing.T, seed uint64) *cluster {
	t.Helper()
	folder, err := os.MkdirTemp("", "bucketmill-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{
		recovery: recoveries{pending: map[string]time.Time{}},
		unmount:  func() error { return nil },
		t:        t, folder: folder, seed: seed, begun: time.Now(),
		// Redis passes every write to the kernel before it answers, so that a SIGKILL loses no
		// write.
		redis: testservices.NewRedis(t, "--appendonly", "yes", "--appendfsync", "no"),
		minio: testservices.NewMinIO(t),
	}
	if c.events, err = os.Create(filepath.Join(folder, "events.log")); err != nil {
		t.Fatal(err)
	}
	c.rdb = redis.NewClient(&redis.Options{Addr: c.redis.Addr})
	c.s3, err = minio.New(strings.TrimPrefix(c.minio.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(c.minio.AccessKey, c.minio.SecretKey, ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{inputBucket, outputBucket, workBucket} {
		if err := c.s3.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(c.close)
	return c
}

// begin starts controllers and executors, and returns when all are ready.
func (c *cluster) begin(s settings) {
	c.t.Helper()
	for i := range s.controllers {
		name := fmt.Sprintf("controller-%d", i)
		c.controllers = append(c.controllers, c.launch(name, "controller",
			append([]string{"--keep-failed", keepFailed.String()}, s.controllerArgs...)))
	}
	for i := range s.executors {
		name := fmt.Sprintf("executor-%d", i)
		scratch := filepath.Join(c.folder, "scratch", name)
		if i == 0 && c.disk != "" {
			scratch = c.disk
		}
		e := c.launch(name, "executor", append([]string{
			"--id", name, "--scratch", scratch, "--lease", lease.String(), "--heartbeat", heartbeat.String(), "--grace", "5s",
		}, s.executorArgs...))
		e.scratch = scratch
		c.executors = append(c.executors, e)
	}
	for _, s := range c.services() {
		if err := s.start(); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, s := range c.services() {
		c.until(60*time.Second, s.name+" is ready", func(ctx context.Context) error { return s.ready(ctx) })
	}
}

// launch describes a process and creates its proxies.
func (c *cluster) launch(name, command string, args []string) *service {
	c.t.Helper()
	s := &service{name: name, log: filepath.Join(c.folder, name+".log"), died: c.died}
	for upstream, p := range map[string]**proxy.Proxy{c.redis.Addr: &s.redis, strings.TrimPrefix(c.minio.Endpoint, "http://"): &s.store} {
		var err error
		if *p, err = proxy.Listen(upstream); err != nil {
			c.t.Fatal(err)
		}
	}
	s.listen = c.freeAddr()
	s.args = append([]string{
		command, "--redis", "redis://" + s.redis.Addr() + "/0", "--store", "s3://" + workBucket + "/" + workPrefix,
		"--s3-endpoint", "http://" + s.store.Addr(), "--listen", s.listen,
	}, args...)
	s.env = []string{
		"AWS_ACCESS_KEY_ID=" + c.minio.AccessKey, "AWS_SECRET_ACCESS_KEY=" + c.minio.SecretKey, "AWS_REGION=us-east-1",
		"TMPDIR=" + c.folder,
	}
	return s
}

// freeAddr returns an address on which a process can listen repeatedly: the kernel does not use its
// port for outgoing connections.
func (c *cluster) freeAddr() string {
	c.t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			c.t.Fatal(err)
		}
		return listener.Addr().String()
	}
	c.t.Fatal("no port between 20000 and 32000 is free")
	return ""
}

func (c *cluster) services() []*service {
	return append(append([]*service{}, c.controllers...), c.executors...)
}

// died notes a process that ended by itself, unless a job killed it, and starts it again.
func (c *cluster) died(s *service, pid int, how string) {
	c.mu.Lock()
	over := c.over
	c.mu.Unlock()
	if over {
		return
	}
	marked, err := os.ReadFile(c.killMark(pid))
	if err == nil {
		c.logf("%s was killed by a job, %s", s.name, marked)
	} else {
		c.find("%s ended by itself: %s; its log ends:\n%s", s.name, how, s.logTail(12))
	}
	time.Sleep(time.Second) // like a service manager
	if err := s.start(); err != nil {
		c.find("start %s again: %v", s.name, err)
	}
}

// killMark returns the file with which a program reports that it has killed its executor.
func (c *cluster) killMark(pid int) string {
	return filepath.Join(c.folder, fmt.Sprintf("killed-%d", pid))
}

// find notes a mistake.
func (c *cluster) find(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	c.logf("FINDING %s", what)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.findings = append(c.findings, what)
}

// logf writes a line to the log of the run.
func (c *cluster) logf(format string, args ...any) {
	fmt.Fprintf(c.events, "%8.3f %s\n", time.Since(c.begun).Seconds(), fmt.Sprintf(format, args...))
}

// close ends all our processes. The servers end with the test.
func (c *cluster) close() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	for _, s := range c.services() {
		s.signal(syscall.SIGCONT)
		if err := s.stop(syscall.SIGKILL, 10*time.Second); err != nil {
			c.t.Error(err)
		}
		if err := errors.Join(s.redis.Close(), s.store.Close()); err != nil {
			c.t.Error(err)
		}
	}
	if err := errors.Join(c.rdb.Close(), c.events.Close(), c.unmount()); err != nil {
		c.t.Error(err)
	}
	if !c.t.Failed() {
		if err := os.RemoveAll(c.folder); err != nil {
			c.t.Error(err)
		}
	}
}

// until asks until there is no error, and fails the test if there always is one.
func (c *cluster) until(within time.Duration, what string, ask func(ctx context.Context) error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), within)
	defer cancel()
	if err := until(ctx, ask); err != nil {
		c.t.Fatalf("%s: not within %v: %v", what, within, err)
	}
}

// until asks until there is no error or ctx ends. It returns the last error.
func until(ctx context.Context, ask func(ctx context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// askTimeout is how long a controller may take to answer before ask turns to another.
const askTimeout = 5 * time.Second

// ask asks the controllers in turn until one answers.
func (c *cluster) ask(ctx context.Context, question func(context.Context, *client.Client) error) error {
	turn, begun := 0, time.Now()
	var refusal error
	err := until(ctx, func(ctx context.Context) error {
		s := c.controllers[turn%len(c.controllers)]
		turn++
		api, err := client.New(s.listen, "", nil)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		err = question(ctx, api)
		if mayReturn := *flushes && unknown(err) && time.Since(begun) < restoreTime; final(err) && !mayReturn {
			refusal = err
			return nil
		}
		return err
	})
	return errors.Join(refusal, err)
}

// restoreTime is how long a job may be unknown after Redis was emptied. A job that had ended stays
// unknown.
const restoreTime = 30 * time.Second

// unknown reports whether a controller has answered that there is no such job.
func unknown(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && p.Code == api.CodeJobNotFound
}

// final reports whether an error is a controller's final answer.
func final(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && p.Status >= 400 && p.Status < 500 &&
		p.Status != http.StatusTooManyRequests && p.Status != http.StatusRequestTimeout && p.Code != api.CodeIncompleteBody
}
