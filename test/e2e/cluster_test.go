package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/testcontainers/testcontainers-go"
	"golang.org/x/sync/errgroup"
)

// A cluster is the controllers and executors of one test.
type cluster struct {
	*backends
	*api // of the controller that started last
	t    *testing.T

	name    string // of its namespace in Redis, its folder of the work store, and its bucket
	started int    // containers so far
}

// newCluster starts a controller and executors, and returns when they are ready.
func newCluster(t *testing.T, executors int) (*cluster, []*container) {
	t.Helper()
	shared, err := sharedBackends()
	if err != nil {
		t.Fatal(err)
	}
	c, _, started := newClusterOn(t, shared, executors)
	return c, started
}

// newClusterOn is newCluster with given backends. It also returns the controller.
func newClusterOn(t *testing.T, b *backends, executors int) (*cluster, *container, []*container) {
	t.Helper()
	c := &cluster{backends: b, t: t, name: "e2e-" + strings.ToLower(rand.Text()[:12])}
	controller := c.startController()
	started := c.startExecutors(executors)
	c.must(t, http.MethodPut, "/v1/objects/"+c.name, "", nil)
	return c, controller, started
}

// settings are the flags and the environment that controllers and executors share.
func (c *cluster) settings(command string, flags ...string) testcontainers.CustomizeRequestOption {
	return func(req *testcontainers.GenericContainerRequest) error {
		req.Cmd = append([]string{
			command, "--redis", "redis://redis:6379/0", "--namespace", c.name,
			"--store", "s3://bucketmill/" + c.name, "--s3-endpoint", "http://minio:9000",
		}, flags...)
		req.Env = map[string]string{"AWS_ACCESS_KEY_ID": c.accessKey, "AWS_SECRET_ACCESS_KEY": c.secretKey}
		return inNetworks(command, c.redisNet, c.minioNet)(req)
	}
}

// startController starts another controller, directs all further requests to it, and returns when
// it is ready.
func (c *cluster) startController() *container {
	c.t.Helper()
	c.started++
	controller, err := startContainer(c.t.Context(), fmt.Sprintf("controller-%d", c.started), controllerImage,
		c.settings("controller", "--listen", "0.0.0.0:8080", "--no-auth"),
		testcontainers.WithExposedPorts("8080/tcp"))
	if err != nil {
		c.t.Fatal(err)
	}
	controller.removeAfter(c.t)
	base, err := controller.PortEndpoint(c.t.Context(), "8080/tcp", "http")
	if err != nil {
		c.t.Fatal(err)
	}
	c.api = &api{base: base}
	eventually(c.t, "wait for "+controller.name, func() error {
		_, err := c.request(c.t.Context(), http.MethodGet, "/readyz", "", nil)
		return err
	})
	return controller
}

// startExecutors starts more executors with one slot each and short leases, and returns when all of
// them have reported.
func (c *cluster) startExecutors(n int) []*container {
	c.t.Helper()
	started := make([]*container, n)
	g, ctx := errgroup.WithContext(c.t.Context())
	for i := range started {
		c.started++
		name := fmt.Sprintf("executor-%d", c.started)
		g.Go(func() (err error) {
			started[i], err = startContainer(ctx, name, executorImage,
				c.settings("executor", "--id", name, "--slots", "1", "--memory", "256MiB", "--lease", "3s", "--heartbeat", "500ms", "--grace", "10s"))
			return err
		})
	}
	err := g.Wait()
	for _, executor := range started {
		if executor != nil {
			executor.removeAfter(c.t)
		}
	}
	if err != nil {
		c.t.Fatal(err)
	}
	for _, executor := range started {
		eventually(c.t, "wait for "+executor.name, func() error { return c.reported(c.t.Context(), executor.name) })
	}
	return started
}

// reported returns nil if the executor is listed.
func (c *cluster) reported(ctx context.Context, name string) error {
	list, err := c.executors(ctx)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.ID == name {
			return nil
		}
	}
	return fmt.Errorf("%s is not among %d executors", name, len(list))
}

// put stores an object and returns its URL.
func (c *cluster) put(key string, text []byte) string {
	c.t.Helper()
	c.must(c.t, http.MethodPut, "/v1/objects/"+c.name+"/"+key, "application/octet-stream", text)
	return "s3://" + c.name + "/" + key
}

// output returns the URL of a folder in the cluster's bucket.
func (c *cluster) output(name string) string { return "s3://" + c.name + "/out/" + name }
