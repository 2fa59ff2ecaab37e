package executor_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// smallDisk mounts a file system of 1 MiB for the test. It returns its folder, and a function that
// enlarges it to 256 MiB.
func smallDisk(t *testing.T) (folder string, grow func()) {
	t.Helper()
	folder = t.TempDir()
	mount := func(flags uintptr, size string) {
		if err := syscall.Mount("tmpfs", folder, "tmpfs", flags, "size="+size); err != nil {
			t.Fatalf("mount a small disk on %s: %v (this test must run as root, with CAP_SYS_ADMIN in a container)", folder, err)
		}
	}
	mount(0, "1m")
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder, func() { mount(syscall.MS_REMOUNT, "256m") }
}

// noise returns lines of size bytes in all that compress badly.
func noise(size int) string {
	random := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	for text.Len() < size {
		for range 12 {
			fmt.Fprintf(&text, "%016x", random.Uint64())
		}
		text.WriteByte('\n')
	}
	return text.String()
}

// fillDisk is a program that writes 8 MiB to its working folder.
const fillDisk = `import os

def map_fn(key, value):
    if not os.path.exists("filler"):
        with open("filler", "wb") as f:
            for _ in range(2048):
                f.write(bytes(4096))
    yield (value, 1)
`

// If a full disk fails an attempt, the failure is of class infra and says so, and the attempt's
// files are removed. The job continues when there is room, on this executor or another one.
func TestFullScratchDisk(t *testing.T) {
	for _, c := range []struct {
		name, program string
		maps          int
		side          byte
		place         string // the write that fails
	}{
		{"map spills", "sort", 1, 'm', "spill: "},
		{"merge in rounds", "sort", 150, 'r', "merge in rounds: "},
		{"python", "fill.py", 1, 'm', "Errno 28"},
		{"fetch a program", "large.py", 1, 'm', "fetch the program"},
	} {
		for _, remedy := range []string{"room", "another executor"} {
			t.Run(c.name+", "+remedy, func(t *testing.T) {
				t.Parallel()
				cl := newCluster(t)
				disk, grow := smallDisk(t)
				id := cl.submitNoise(c.program, c.maps)
				if c.side == 'r' {
					cl.mapAll(id)
				}
				stop := cl.executor("small", forEver, func(cfg *executor.Config) {
					cfg.Slots, cfg.Memory, cfg.Scratch = 1, executor.MinMemory, filepath.Join(disk, "scratch")
				})
				cl.eventually("a failure", func() bool { return len(cl.failures(id)) > 0 })
				if remedy == "room" {
					grow()
				} else {
					stop()
					cl.executor("large", forEver, nil)
				}
				j := cl.wait(id, func(theJob state.Job) bool { return theJob.Phase == job.PhaseEnded })
				for _, f := range cl.failures(id) {
					if f.Class != job.ClassInfra || f.Attempt[0] != c.side || f.Executor != "small" ||
						!strings.Contains(f.Message, "executor small: its scratch disk is full") ||
						!strings.Contains(f.Message, disk) || !strings.Contains(f.Message, "no space left on device") ||
						!strings.Contains(f.Message, c.place) || strings.Contains(f.Message, "no such file") {
						t.Errorf("failure %+v", f)
					}
				}
				if j.State != job.Completed {
					t.Fatalf("%s: %+v", j.State, j.Error)
				}
				cl.checkNoise()
				if remedy == "room" {
					stop()
				}
				if left := filesIn(t, disk); len(left) > 0 {
					t.Errorf("left on the disk: %q", left)
				}
			})
		}
	}
}

const noiseSize = 24 << 20

// submitNoise starts a job over noise; a program with a dot in its name is Python.
func (c *cluster) submitNoise(name string, maps int) job.ID {
	c.t.Helper()
	if err := os.WriteFile(c.path("in.txt"), []byte(noise(noiseSize)), 0o644); err != nil {
		c.t.Fatal(err)
	}
	reducers := 1
	spec := job.Spec{
		Program: name, Kind: "builtin", Input: job.Inputs(c.path("in.txt")), Output: c.path("out"), Maps: maps, Reducers: &reducers,
	}
	if strings.HasSuffix(name, ".py") {
		text := []byte(fillDisk)
		if name == "large.py" {
			text = append([]byte("def map_fn(key, value):\n    yield (value, 1)\n#"), strings.Repeat("x", 2<<20)...)
		}
		if err := os.WriteFile(c.path(name), text, 0o644); err != nil {
			c.t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		spec.Kind, spec.Params = "python", nil
		reducers = 0
		spec.Artifact = &job.Artifact{Key: strings.TrimPrefix(c.path(name), "/"), SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text))}
	}
	id := job.NewID()
	if _, err := controller.Submit(c.t.Context(), c.store, id, spec); err != nil {
		c.t.Fatal(err)
	}
	return id
}

// mapAll has an executor do a job's map tasks, and none of its reduce tasks.
func (c *cluster) mapAll(id job.ID) {
	c.t.Helper()
	g := newGate("get", ".seg")
	stop := c.executor("mapper", forEver, func(cfg *executor.Config) { cfg.Open = faulty(c.open, g.fault) })
	<-g.reached
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	close(g.open)
	<-stopped
	if j, err := c.store.Job(c.t.Context(), id); err != nil || j.Phase != job.PhaseReduce {
		c.t.Fatalf("phase %s, %v", j.Phase, err)
	}
}

func (c *cluster) failures(id job.ID) []job.Failure {
	c.t.Helper()
	all, err := c.store.Failures(c.t.Context(), id)
	if err != nil {
		c.t.Fatal(err)
	}
	return all
}

// checkNoise checks that the output has every line.
func (c *cluster) checkNoise() {
	c.t.Helper()
	var got int
	for _, name := range c.files("out") {
		if strings.HasPrefix(name, "part-") {
			text, err := os.ReadFile(c.path("out/" + name))
			if err != nil {
				c.t.Fatal(err)
			}
			got += strings.Count(string(text), "\n")
		}
	}
	if want := strings.Count(noise(noiseSize), "\n"); got != want {
		c.t.Errorf("the output has %d lines, want %d", got, want)
	}
}

// filesIn lists the files, without the folders, in a folder.
func filesIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
