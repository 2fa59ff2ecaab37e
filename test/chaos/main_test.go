package chaos

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	duration  = flag.Duration("duration", 45*time.Second, "how long things are broken")
	seed      = flag.Uint64("seed", 0, "of jobs and faults; 0: a new one")
	executors = flag.Int("executors", 4, "executors of the cluster under chaos")
	workers   = flag.Int("jobs", 3, "jobs that run side by side")
	flushes   = flag.Bool("flush", true, "empty Redis now and then, too")
	noTmpfs   = flag.Bool("no-tmpfs", false, "leave out the full disk, which takes root to mount a small one")
	raced     = flag.Bool("bucketmill-race", false, "build bucketmill with the race detector")
	only      = flag.String("only", "", "the one kind of fault to inject (default: all)")
)

func TestMain(m *testing.M) {
	redis.SetLogger(silence{})
	code := m.Run()
	if err := os.RemoveAll(buildFolder()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// silence drops the client's log line for each broken connection.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

func buildFolder() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("bucketmill-chaos-build-%d", os.Getpid()))
}

var build = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(buildFolder(), "bucketmill")
	args := []string{"build", "-o", binary}
	if *raced {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "../../cmd/bucketmill")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build bucketmill: %w\n%s", err, out)
	}
	return binary, nil
})
