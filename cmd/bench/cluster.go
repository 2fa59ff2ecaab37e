package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/bucketmill/bucketmill/api"
	"github.com/bucketmill/bucketmill/api/client"
	"github.com/bucketmill/bucketmill/job"
)

// The buckets of a cluster.
const (
	inputBucket  = "inbox"
	outputBucket = "outbox"
	workBucket   = "work"
)

// clusterExecutors is the number of executors of a cluster. Each has one slot.
const clusterExecutors = 2

// cluster is a controller and executors on a real Redis and a real MinIO, each a process.
type cluster struct {
	redis    *redisServer
	minio    *minioServer
	client   *client.Client
	services []*server // controller and executors
}

// startCluster starts a cluster. memory is that of each executor for buffers, in bytes.
func (b *bench) startCluster(ctx context.Context, memory int64) (*cluster, error) {
	var (
		c   cluster
		err error
	)
	if c.redis, err = b.startRedis(ctx); err != nil {
		return nil, err
	}
	if c.minio, err = b.startMinIO(ctx); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if c.client, err = client.New(address, "", nil); err != nil {
		return nil, err
	}
	common := []string{"--redis", c.redis.url, "--store", "s3://" + workBucket + "/mill", "--s3-endpoint", c.minio.endpoint, "--log-level", "WARN"}
	controller, err := b.serve("controller", b.bucketmill, c.minio.env, append([]string{"controller", "--listen", address}, common...)...)
	if err != nil {
		return nil, err
	}
	c.services = append(c.services, controller)
	for i := range clusterExecutors {
		executor, err := b.serve("executor", b.bucketmill, c.minio.env, append([]string{
			"executor", "--id", "executor-" + strconv.Itoa(i), "--slots", "1", "--memory", strconv.FormatInt(memory, 10),
		}, common...)...)
		if err != nil {
			return nil, err
		}
		c.services = append(c.services, executor)
	}
	if err := controller.await(ctx, c.checkExecutors); err != nil {
		return nil, err
	}
	return &c, c.client.MakeBucket(ctx, outputBucket)
}

// checkExecutors fails unless the controller sees all executors.
func (c *cluster) checkExecutors(ctx context.Context) error {
	executors, err := c.client.Executors(ctx)
	if err == nil && len(executors) < clusterExecutors {
		err = fmt.Errorf("only %d of %d executors run", len(executors), clusterExecutors)
	}
	return err
}

// input makes sample data on the store, the same as bench.generate makes, and returns its URL.
func (c *cluster) input(ctx context.Context, b *bench, kind string, size int64, args ...string) (string, error) {
	place := "s3://" + inputBucket + "/" + kind + "/"
	return place, b.generateTo(ctx, place, c.minio.env, kind, size, args...)
}

// sessions returns the sessions of the controller and the executors.
func (c *cluster) sessions() (ids []int) {
	for _, s := range c.services {
		ids = append(ids, s.session())
	}
	return ids
}

// job runs a job and waits for the end of its clean-up. The wall time is from the submission to the
// completion; CPU time and memory are those of the controller and the executors.
func (c *cluster) job(ctx context.Context, spec job.Spec) (id job.ID, r result, err error) {
	before, err := c.minio.requests(ctx)
	if err != nil {
		return id, r, err
	}
	cpu, minio := cpuOf(c.sessions()...), cpuOf(c.minio.session())
	executors := cpuOf(c.sessions()[1:]...)
	watch := watchMemory(c.sessions()...)
	id, r.wall, err = c.submit(ctx, spec)
	r.peak = watch.end()
	if err != nil {
		return id, r, err
	}
	r.cpu = cpuOf(c.sessions()...) - cpu
	after, err := c.minio.requests(ctx)
	r.figures = append(after.since(before),
		figure{name: "executors' CPU", value: (cpuOf(c.sessions()[1:]...) - executors).Seconds(), unit: "s"},
		figure{name: "MinIO's CPU", value: (cpuOf(c.minio.session()) - minio).Seconds(), unit: "s"})
	return id, r, err
}

// submit runs a job and returns how long it took to complete.
func (c *cluster) submit(ctx context.Context, spec job.Spec) (id job.ID, wall time.Duration, err error) {
	begun := time.Now()
	submitted, err := c.client.Submit(ctx, client.Submission{Spec: spec})
	if err != nil {
		return id, 0, err
	}
	id = submitted.ID
	for event, err := range c.client.Events(ctx, id, "") {
		switch {
		case err != nil:
			return id, wall, err
		case event.Type == api.EventState && event.State == job.Completed:
			wall = time.Since(begun)
		case event.Type == api.EventState && event.State.Terminal():
			return id, wall, fmt.Errorf("the job is %s: %+v", event.State, event.Failure)
		case event.Type == api.EventEnded && wall > 0:
			return id, wall, nil
		}
	}
	return id, wall, errors.New("the job's events ended before the job")
}

// check reads a job's output and passes it to compare.
func (c *cluster) check(ctx context.Context, id job.ID, compare func(io.Reader) error) (err error) {
	r, err := c.client.Results(ctx, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return compare(r)
}
