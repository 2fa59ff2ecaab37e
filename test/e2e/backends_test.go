package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"golang.org/x/sync/errgroup"
)

// startWait is how long a start may take on a busy machine.
const startWait = 2 * time.Minute

// backends are the Redis and the MinIO of clusters, each on its own network.
type backends struct {
	redis, minio         *container
	redisNet, minioNet   string // names
	accessKey, secretKey string // of MinIO's root user
}

// sharedBackends are the backends of all tests that don't kill them. The guard removes them.
var sharedBackends = sync.OnceValues(func() (*backends, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startWait)
	defer cancel()
	return startBackends(ctx)
})

// ownBackends returns backends for a test that kills them.
func ownBackends(t *testing.T) *backends {
	t.Helper()
	b, err := startBackends(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.redis.removeAfter(t)
	b.minio.removeAfter(t)
	return b
}

func startBackends(ctx context.Context) (*backends, error) {
	b := &backends{accessKey: rand.Text(), secretKey: rand.Text()}
	for _, name := range []*string{&b.redisNet, &b.minioNet} {
		n, err := network.New(ctx, network.WithLabels(labels()))
		if err != nil {
			return nil, fmt.Errorf("make a network: %w", err)
		}
		*name = n.Name
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		b.redis, err = startContainer(ctx, "redis", redisImage,
			testcontainers.WithCmd("redis-server", "--dir", "/data", "--appendonly", "yes", "--maxmemory-policy", "noeviction", "--protected-mode", "no"),
			inNetworks("redis", b.redisNet))
		return err
	})
	g.Go(func() (err error) {
		b.minio, err = startContainer(ctx, "minio", minioImage,
			testcontainers.WithEnv(map[string]string{"MINIO_ROOT_USER": b.accessKey, "MINIO_ROOT_PASSWORD": b.secretKey}),
			testcontainers.WithExposedPorts("9000/tcp"),
			inNetworks("minio", b.minioNet))
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return b, b.minioReady(ctx)
}

// minioReady waits until MinIO answers. Redis needs no wait: it starts quickly, and its clients
// retry.
func (b *backends) minioReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startWait)
	defer cancel()
	return until(ctx, func() error {
		base, err := b.minio.PortEndpoint(ctx, "9000/tcp", "http")
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/minio/health/ready", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		if err := resp.Body.Close(); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("MinIO is not ready: %s", resp.Status)
		}
		return nil
	})
}
