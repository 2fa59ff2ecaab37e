package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/moby/moby/client"
)

// ownerLabel is a label of every container and network of these tests. Its value is the id of their
// process.
const ownerLabel = "io.bucketmill.e2e"

// self is the id of this process.
var self = strconv.Itoa(os.Getpid())

// labels returns the labels of this process's containers and networks.
func labels() map[string]string { return map[string]string{ownerLabel: self} }

// composeProject returns the name of the cluster that compose starts for a process.
func composeProject(owner string) string { return "bucketmill-e2e-" + owner }

// removeScript removes everything that has one of the labels $1, $2….
const removeScript = `
for label; do
	containers=$(docker ps --all --quiet --filter "label=$label")
	if [ -n "$containers" ]; then docker rm --force --volumes $containers; fi
	networks=$(docker network ls --quiet --filter "label=$label")
	if [ -n "$networks" ]; then docker network rm $networks; fi
	volumes=$(docker volume ls --quiet --filter "label=$label")
	if [ -n "$volumes" ]; then docker volume rm $volumes; fi
done
`

// removal returns the command line of a script that removes everything of a process.
func removal(script, owner string) []string {
	return []string{"/bin/sh", "-c", script, "sh", ownerLabel + "=" + owner, "com.docker.compose.project=" + composeProject(owner)}
}

// guardScript runs removeScript when the writer of its input closes the input or dies. An interrupt
// from the terminal must not end it earlier.
const guardScript = "trap '' HUP INT TERM\nread -r _\n" + removeScript

// A guard is a shell that cleans up after the test binary. Testcontainers' own reaper would do the
// same, but its image is not available without a registry.
type guard struct {
	shell *exec.Cmd
	pipe  io.WriteCloser
}

func newGuard() (*guard, error) {
	line := removal(guardScript, self)
	shell := exec.Command(line[0], line[1:]...)
	pipe, err := shell.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := shell.Start(); err != nil {
		return nil, fmt.Errorf("start the guard of containers: %w", err)
	}
	return &guard{shell: shell, pipe: pipe}, nil
}

// close makes the guard clean up now, and waits for it.
func (g *guard) close() error { return errors.Join(g.pipe.Close(), g.shell.Wait()) }

// sweep removes what earlier tests have left because their guard was killed, too.
func sweep(ctx context.Context, docker client.APIClient) error {
	owners := map[string]bool{}
	byLabel := make(client.Filters).Add("label", ownerLabel)
	containers, err := docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: byLabel})
	if err != nil {
		return err
	}
	for _, c := range containers.Items {
		owners[c.Labels[ownerLabel]] = true
	}
	networks, err := docker.NetworkList(ctx, client.NetworkListOptions{Filters: byLabel})
	if err != nil {
		return err
	}
	for _, n := range networks.Items {
		owners[n.Labels[ownerLabel]] = true
	}
	for owner := range owners {
		if pid, err := strconv.Atoi(owner); err == nil && syscall.Kill(pid, 0) == nil {
			continue
		}
		line := removal(removeScript, owner)
		if out, err := exec.CommandContext(ctx, line[0], line[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("remove containers of process %s: %w: %s", owner, err, out)
		}
	}
	return nil
}
