package testservices

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestServersDieWithTheirTests runs itself in a second process, which shares a Redis, and
// kills that process.
func TestServersDieWithTheirTests(t *testing.T) {
	const marker, child = "shared redis: ", "TESTSERVICES_CHILD"
	if os.Getenv(child) != "" {
		server := Redis(t)
		fmt.Println(marker + server.Addr + " " + server.dir)
		select {} // until killed
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var addr, dir string
	for lines := bufio.NewScanner(stdout); addr == "" && lines.Scan(); {
		if found, ok := strings.CutPrefix(lines.Text(), marker); ok {
			addr, dir, _ = strings.Cut(found, " ")
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || addr == "" {
		t.Fatalf("the second process: %v, redis at %q", err, addr)
	}

	deadline := time.After(stopDeadline)
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		_, statErr := os.Stat(dir)
		conn, dialErr := net.Dial("tcp", addr)
		if dialErr == nil {
			conn.Close()
		}
		if dialErr != nil && os.IsNotExist(statErr) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after %v: dial %s: %v; folder %s: %v", stopDeadline, addr, dialErr, dir, statErr)
		case <-tick.C:
		}
	}
}
