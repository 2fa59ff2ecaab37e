package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
)

// The images, by the names in docker-compose.yml.
const (
	redisImage      = "bucketmill/redis:7"
	minioImage      = "bucketmill/minio:20260212"
	controllerImage = "bucketmill/bucketmill:local"
	executorImage   = "bucketmill/bucketmill:local-python"
)

// prepareWait is how long the preparation of Docker may take.
const prepareWait = time.Minute

// docker is a client of the engine that the environment names.
var docker = sync.OnceValues(func() (*testcontainers.DockerClient, error) {
	return testcontainers.NewDockerClientWithOpts(context.Background())
})

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// run prepares Docker, runs the tests, and cleans up.
func run(m *testing.M) (code int, err error) {
	if err := configure(); err != nil {
		return 1, err
	}
	tclog.SetDefault(silent{})
	ctx, cancel := context.WithTimeout(context.Background(), prepareWait)
	defer cancel()
	if err := prepare(ctx); err != nil {
		return 1, err
	}
	g, err := newGuard()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, g.close()) }()
	return m.Run(), nil
}

// configure sets what testcontainers would guess wrongly: the guard replaces the reaper, and the
// ports of a local engine are on this machine's loopback address, even if a file /.dockerenv makes
// the machine look like a container. Set TESTCONTAINERS_HOST_OVERRIDE if the machine really is a
// container.
func configure() error {
	settings := map[string]string{"TESTCONTAINERS_RYUK_DISABLED": "true"}
	engine := os.Getenv("DOCKER_HOST")
	if local := engine == "" || strings.HasPrefix(engine, "unix://"); local && os.Getenv("TESTCONTAINERS_HOST_OVERRIDE") == "" {
		settings["TESTCONTAINERS_HOST_OVERRIDE"] = "127.0.0.1"
	}
	for name, value := range settings {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// prepare checks that Docker and the images are there.
func prepare(ctx context.Context) error {
	engine, err := docker()
	if err == nil {
		_, err = engine.Ping(ctx, client.PingOptions{})
	}
	if err != nil {
		return fmt.Errorf("these tests run containers, and no Docker engine answers (is it installed, is it running, may you use it?): %w", err)
	}
	for _, image := range []string{redisImage, minioImage, controllerImage, executorImage} {
		if _, err := engine.ImageInspect(ctx, image); err != nil {
			return fmt.Errorf(`there is no image %s; "make images" makes it: %w`, image, err)
		}
	}
	return sweep(ctx, engine)
}

// silent drops the progress messages of testcontainers.
type silent struct{}

func (silent) Printf(string, ...any) {}
