package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	dockercontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
)

const (
	callWait = time.Minute // for one call to Docker, on a busy machine
	logTail  = 4 << 10     // bytes of a container's log that a failed test shows
)

// A container runs a part of a cluster.
type container struct {
	*testcontainers.DockerContainer
	name string // for people, and the id of an executor
}

// startContainer starts a container as in production: with a read-only root file system and without
// capabilities.
func startContainer(ctx context.Context, name, image string, options ...testcontainers.ContainerCustomizer) (*container, error) {
	hardened := testcontainers.WithHostConfigModifier(func(host *dockercontainer.HostConfig) {
		init := true
		host.Init = &init
		host.ReadonlyRootfs = true
		host.CapDrop = []string{"ALL"}
		host.SecurityOpt = []string{"no-new-privileges:true"}
		host.Tmpfs = map[string]string{"/tmp": "exec"}
	})
	options = append([]testcontainers.ContainerCustomizer{testcontainers.WithLabels(labels()), hardened}, options...)
	c, err := testcontainers.Run(ctx, image, options...)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return &container{DockerContainer: c, name: name}, nil
}

// inNetworks connects a container to networks, where others find it by the alias.
func inNetworks(alias string, names ...string) testcontainers.CustomizeRequestOption {
	return func(req *testcontainers.GenericContainerRequest) error {
		for _, name := range names {
			if err := network.WithNetworkName([]string{alias}, name)(req); err != nil {
				return err
			}
		}
		return nil
	}
}

// removeAfter removes the container when the test ends, and shows the end of its log if the test
// has failed.
func (c *container) removeAfter(t *testing.T) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), callWait)
		defer cancel()
		if t.Failed() {
			t.Logf("the log of %s ends:\n%s", c.name, c.tail(ctx))
		}
		if err := c.Terminate(ctx, testcontainers.StopTimeout(0)); err != nil {
			t.Errorf("remove %s: %v", c.name, err)
		}
	})
}

func (c *container) tail(ctx context.Context) []byte {
	logs, err := c.Logs(ctx)
	if err != nil {
		return []byte(err.Error())
	}
	text, err := io.ReadAll(logs)
	if err = errors.Join(err, logs.Close()); err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text[max(0, len(text)-logTail):])
}

// call calls the engine once; the call must succeed.
func (c *container) call(t *testing.T, what string, do func(context.Context, client.APIClient) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callWait)
	defer cancel()
	engine, err := docker()
	if err == nil {
		err = do(ctx, engine)
	}
	if err != nil {
		t.Fatalf("%s %s: %v", what, c.name, err)
	}
}

// kill ends the container like a crash.
func (c *container) kill(t *testing.T) {
	t.Helper()
	c.signal(t, "KILL")
	c.exitCode(t)
}

// signal sends a signal to the container's process.
func (c *container) signal(t *testing.T, name string) {
	t.Helper()
	c.call(t, "signal", func(ctx context.Context, engine client.APIClient) error {
		_, err := engine.ContainerKill(ctx, c.ID, client.ContainerKillOptions{Signal: name})
		return err
	})
}

// exitCode waits for the container's end.
func (c *container) exitCode(t *testing.T) (code int64) {
	t.Helper()
	c.call(t, "wait for", func(ctx context.Context, engine client.APIClient) error {
		wait := engine.ContainerWait(ctx, c.ID, client.ContainerWaitOptions{})
		select {
		case result := <-wait.Result:
			code = result.StatusCode
			return nil
		case err := <-wait.Error:
			return err
		}
	})
	return code
}

// startAgain starts a container that has ended. It keeps its volumes.
func (c *container) startAgain(t *testing.T) {
	t.Helper()
	c.call(t, "start", func(ctx context.Context, engine client.APIClient) error {
		_, err := engine.ContainerStart(ctx, c.ID, client.ContainerStartOptions{})
		return err
	})
}

// leave disconnects the container from a network: its connections there stop working.
func (c *container) leave(t *testing.T, network string) {
	t.Helper()
	c.call(t, "disconnect", func(ctx context.Context, engine client.APIClient) error {
		_, err := engine.NetworkDisconnect(ctx, network, client.NetworkDisconnectOptions{Container: c.ID, Force: true})
		return err
	})
}

// join connects it again.
func (c *container) join(t *testing.T, network string) {
	t.Helper()
	c.call(t, "connect", func(ctx context.Context, engine client.APIClient) error {
		_, err := engine.NetworkConnect(ctx, network, client.NetworkConnectOptions{Container: c.ID})
		return err
	})
}
