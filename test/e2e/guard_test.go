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

// ownerLabel is on every container and network of these tests. Its value is the id of the
// process that they belong to.
const ownerLabel = "io.bucketmill.e2e"

// self is the id of this process.
var self = strconv.Itoa(os.Getpid())

// labels are those of what belongs to it.
func labels() map[string]string { return map[string]string{ownerLabel: self} }

// composeProject is the name of the cluster that compose starts for the process.
func composeProject(owner string) string { return "bucketmill-e2e-" + owner }

// removeScript removes what bears one of the labels $1, $2….
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

// removal is the command line of a script that removes what belongs to the process.
func removal(script, owner string) []string {
	return []string{"/bin/sh", "-c", script, "sh", ownerLabel + "=" + owner, "com.docker.compose.project=" + composeProject(owner)}
}

// guardScript does so once the writer of its input closes it or dies. An interrupt from the
// terminal must not end it before.
const guardScript = "trap '' HUP INT TERM\nread -r _\n" + removeScript

// A guard is a shell that cleans up after the test binary. Testcontainers' own reaper would do
// the same, but its image can't be had where no registry is reached.
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

// close cleans up now, and waits for it.
func (g *guard) close() error { return errors.Join(g.pipe.Close(), g.shell.Wait()) }

// sweep removes what earlier tests left behind, whose guard was killed as well.
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
