package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/moby/moby/client"
)

// The cluster of "make up" runs jobs, and "make down" leaves nothing of it.
func TestComposeClusterComesAndGoes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil { // no other process is likely to take the port now
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"COMPOSE_PROJECT_NAME": composeProject(self), "BUCKETMILL_PORT": addr.AddrPort().String()[len("127.0.0.1:"):],
		"MINIO_ROOT_USER": "bucketmill", "MINIO_ROOT_PASSWORD": rand.Text(), "REDIS_PASSWORD": rand.Text(),
		"CONTROLLER_PASSWORD": rand.Text(), "EXECUTOR_PASSWORD": rand.Text(),
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
	checkReach(t, c)
	checkAccounts(t)

	clusterScript(t, "down")
	engine, err := docker()
	if err != nil {
		t.Fatal(err)
	}
	if left := projectThings(t.Context(), t, engine); left != 0 {
		t.Errorf("%d containers, networks and volumes are left", left)
	}
}

// checkReach checks that a program reaches only what it needs.
func checkReach(t *testing.T, c *cluster) {
	t.Helper()
	program, err := os.ReadFile("testdata/reach.py")
	if err != nil {
		t.Fatal(err)
	}
	s := spec{Name: "reach", Program: "reach.py", Input: []string{c.put("in/line.txt", []byte("a line\n"))}, Output: c.output("reach")}
	id := c.submit(t, s, program)
	eventually(t, "end of the job", func() error {
		j, err := c.job(t.Context(), id)
		if err == nil && j.State != "COMPLETED" {
			err = fmt.Errorf("it is %s", j.State)
		}
		return err
	})
	got := string(c.must(t, http.MethodGet, "/v1/objects/"+c.name+"/out/reach/part-00000", "", nil))
	want := "user\t65600\ncapabilities\t0\nenvironment\tfalse\nmemory\tfalse\ndescriptors\tfalse\nsignals\tfalse\n" +
		"metadata service\tfalse\ncontroller\tfalse\nits own folder\ttrue\n"
	if got != want {
		t.Errorf("the program says:\n%s\nwant:\n%s", got, want)
	}
}

// checkAccounts checks that the executors' accounts at Redis and MinIO have only the rights that
// they need.
func checkAccounts(t *testing.T) {
	t.Helper()
	password := os.Getenv("EXECUTOR_PASSWORD")
	for _, command := range []string{"FLUSHALL", "CONFIG GET save", "KEYS x", "HGETALL bm:outputs", "ZADD bm:jobs 1 x", "SADD bm:active x", "SCRIPT FLUSH", "ACL LIST", "SHUTDOWN"} {
		out, _ := inService(t, "redis", "unset REDISCLI_AUTH; redis-cli --no-auth-warning --user executor --pass "+password+" "+command)
		if !strings.Contains(out, "NOPERM") {
			t.Errorf("redis: an executor may %s: %s", command, out)
		}
	}
	if out, err := inService(t, "redis", "unset REDISCLI_AUTH; redis-cli -e PING"); err == nil {
		t.Errorf("redis: without a password: %s", out)
	}
	store := "MC_CONFIG_DIR=/tmp/mc MC_HOST_x=http://executor:" + password + "@127.0.0.1:9000 mc "
	for _, command := range []string{
		"admin info x", "admin user list x", "admin policy list x", "rb --force x/inbox", "mb x/another", "rm x/inbox/in/text.txt",
		"anonymous set public x/inbox", "version enable x/inbox",
	} {
		if out, err := inService(t, "minio", store+command); err == nil || !strings.Contains(strings.ToLower(out), "denied") {
			t.Errorf("minio: an executor may mc %s: %v: %s", command, err, out)
		}
	}
	if out, err := inService(t, "minio", store+"cat x/inbox/in/text.txt"); err != nil {
		t.Errorf("minio: an executor can't read: %v: %s", err, out)
	}
}

// inService runs a shell command in a container of the compose project.
func inService(t *testing.T, service, command string) (string, error) {
	t.Helper()
	id, err := exec.CommandContext(t.Context(), "docker", "ps", "--quiet",
		"--filter", "label=com.docker.compose.project="+composeProject(self), "--filter", "label=com.docker.compose.service="+service).Output()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "docker", "exec", strings.TrimSpace(string(id)), "sh", "-c", command).CombinedOutput()
	return string(out), err
}

// clusterScript runs deploy/cluster.sh.
func clusterScript(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "../../deploy/cluster.sh", args...)
	cmd.Env = os.Environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cluster.sh %v: %v\n%s", args, err, out)
	}
}

// projectThings counts the containers, networks and volumes of the compose project.
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
