package controller

import (
	"os"
	"path/filepath"
	"testing"
)

// Two locations of one folder are one output, so that two jobs can't write there.
func TestOneNameOfAnOutput(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("data", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	for _, location := range []string{root + "/data/out", root + "/data/out/", root + "/link/out", "file://" + root + "/link/out/"} {
		out, err := openOutput(t.Context(), open(t), location)
		if err != nil || out.url != "file://"+root+"/data/out" {
			t.Errorf("%s is named %+v, %v", location, out, err)
		}
	}
}
