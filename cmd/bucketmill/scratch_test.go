package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bucketmill/bucketmill/test/testservices"
)

// An executor removes what a killed one left on the disk, but not what a running one uses.
func TestScratchOfTheDeadIsReclaimed(t *testing.T) {
	t.Parallel()
	server := testservices.NewRedis(t)
	scratch, work := t.TempDir(), t.TempDir()
	folders := func() map[string]bool {
		entries, err := os.ReadDir(scratch)
		must(t, err)
		names := map[string]bool{}
		for _, e := range entries {
			names[e.Name()] = true
		}
		return names
	}
	start := func() (p *serverProcess, folder string) {
		before := folders()
		p = startProcess(t, nil, "executor", "--redis", server.URL, "--store", work, "--scratch", scratch)
		eventually(t, "a new scratch folder", func() bool {
			for name := range folders() {
				if _, err := os.Stat(filepath.Join(scratch, name, "executor")); err == nil && !before[name] {
					folder = name
				}
			}
			return folder != ""
		})
		writeFile(t, filepath.Join(scratch, folder, "executor", "attempts", "j-m0.1", "run-1.bmsh"), "spilled")
		return p, folder
	}
	dead, deadFolder := start()
	_, liveFolder := start()
	if !folders()[deadFolder] {
		t.Fatal("a running executor's folder was removed")
	}
	dead.signal(os.Kill)
	dead.wait(patience)
	// A folder without a lock is not an executor's, and a locked folder is in use.
	writeFile(t, filepath.Join(scratch, "bucketmill-unlocked", "file"), "somebody's")
	_, third := start()
	// The watcher may be removing it; then the new executor leaves it alone.
	eventually(t, "end of the dead executor's folder", func() bool { return !folders()[deadFolder] })
	left := folders()
	if left[deadFolder] || !left[liveFolder] || !left[third] || !left["bucketmill-unlocked"] || len(left) != 3 {
		t.Errorf("left: %v; dead %s, live %s, new %s", left, deadFolder, liveFolder, third)
	}
	for _, folder := range []string{liveFolder, third} {
		if _, err := os.Stat(filepath.Join(scratch, folder, "executor", "attempts", "j-m0.1", "run-1.bmsh")); err != nil {
			t.Error(err)
		}
	}
}
