package e2e

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"

	"github.com/moby/moby/client"
)

// What "make up" starts runs jobs, and "make down" leaves nothing of it.
func TestComposeClusterComesAndGoes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil { // nobody else is likely to take it now
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"COMPOSE_PROJECT_NAME": composeProject(self), "BUCKETMILL_PORT": addr.AddrPort().String()[len("127.0.0.1:"):],
		"MINIO_ROOT_USER": "bucketmill", "MINIO_ROOT_PASSWORD": rand.Text(), "REDIS_PASSWORD": rand.Text(),
	} {
		t.Setenv(name, value)
	}
	clusterScript(t, "up", "4")
	c := &cluster{t: t, name: "inbox", api: &api{base: "http://" + addr.String()}}
	executors, err := c.executors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(executors) != 4 {
		t.Errorf("there are %d executors, not 4", len(executors))
	}
	c.must(t, http.MethodPut, "/v1/objects/"+c.name, "", nil)
	text := generate(64 << 10)
	c.count(spec{Name: "builtin", Program: "wordcount", Input: []string{c.put("in/text.txt", text)}}, text).check()
	c.slowCounting("python", 4, 0).check()

	clusterScript(t, "down")
	engine, err := docker()
	if err != nil {
		t.Fatal(err)
	}
	if left := projectThings(t.Context(), t, engine); left != 0 {
		t.Errorf("%d containers, networks and volumes are left", left)
	}
}

// clusterScript runs deploy/cluster.sh.
func clusterScript(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "../cluster.sh", args...)
	cmd.Env = os.Environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cluster.sh %v: %v\n%s", args, err, out)
	}
}

// projectThings counts what there is of the compose project.
func projectThings(ctx context.Context, t *testing.T, engine client.APIClient) int {
	t.Helper()
	byProject := make(client.Filters).Add("label", "com.docker.compose.project="+composeProject(self))
	containers, err := engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: byProject})
	if err != nil {
		t.Fatal(err)
	}
	networks, err := engine.NetworkList(ctx, client.NetworkListOptions{Filters: byProject})
	if err != nil {
		t.Fatal(err)
	}
	volumes, err := engine.VolumeList(ctx, client.VolumeListOptions{Filters: byProject})
	if err != nil {
		t.Fatal(err)
	}
	return len(containers.Items) + len(networks.Items) + len(volumes.Items)
}
