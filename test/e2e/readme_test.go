package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/test/pages"
)

// The README's commands for a cluster in containers work, from "make up" to "make down".
func TestReadmeCluster(t *testing.T) {
	page, err := pages.Read("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "bucketmill")
	if err := pages.Copy("../..", folder); err != nil {
		t.Fatal(err)
	}
	tools, err := filepath.Abs("../../.tools")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(tools, filepath.Join(folder, ".tools")); err != nil { // docker-compose may be in it
		t.Fatal(err)
	}
	caches, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(caches), "\n")
	session, err := pages.NewSession(folder,
		"GOCACHE="+lines[0], "GOMODCACHE="+lines[1], "PATH="+filepath.Join(folder, "bin")+":"+os.Getenv("PATH"),
		"COMPOSE_PROJECT_NAME="+composeProject(self)) // "make up" writes the passwords
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}()
	// The blocks need this file of earlier blocks.
	if _, err := session.Run(t.Context(), "make -s build && bucketmill generate text --output data/texts --size small --files 4"); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, block := range page.Blocks {
		if block.Where != pages.Docker {
			continue
		}
		for _, c := range block.Commands {
			got, err := session.Run(t.Context(), c.Text)
			if err != nil {
				t.Fatalf("README.md:%d: %s\n%v; it prints\n%s", c.Line, c.Text, err, strings.Join(got, "\n"))
			}
			if !pages.Same(c.Want, got) {
				t.Errorf("README.md:%d: %s\nprints\n%s\nbut the page says\n%s", c.Line, c.Text, strings.Join(got, "\n"), strings.Join(c.Want, "\n"))
			}
			ran++
		}
	}
	if ran == 0 {
		t.Fatal("the README has no block for containers")
	}
}
