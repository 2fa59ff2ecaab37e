package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == watchCommand {
		main() // this binary is the watcher of services that a test runs in its process
		return
	}
	redis.SetLogger(silence{})
	code := m.Run()
	if err := os.RemoveAll(buildFolder()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func buildFolder() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("bucketmill-test-%d", os.Getpid()))
}

var build = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(buildFolder(), "bucketmill")
	// Like "make build", so that both share Go's cache.
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-o", binary, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build bucketmill: %w\n%s", err, out)
	}
	return binary, nil
})

// bucketmillBinary returns the path of the real program, without the race detector.
func bucketmillBinary(t testing.TB) string {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}
