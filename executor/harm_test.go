package executor_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bucketmill/bucketmill/controller"
	"github.com/bucketmill/bucketmill/executor"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/state"
)

// A job of the highest priority whose attempts fail again and again does not keep an executor from
// the tasks of another job.
func TestAFailingJobHoldsUpNoOther(t *testing.T) {
	t.Attr("timing", "a job must be quick")
	t.Parallel()
	c := newCluster(t)
	c.executor("only", forEver, func(cfg *executor.Config) {
		cfg.Slots = 1
		cfg.Open = faulty(c.open, func(_ context.Context, method, key string) error {
			if method == "get" && strings.Contains(key, "bad.txt") {
				return errors.New("the network is down")
			}
			return nil
		})
	})
	bad := c.spec(1)
	bad.Input, bad.Output, bad.Priority = job.Inputs(c.path("bad.txt")), c.path("bad-out"), 1000
	if err := os.WriteFile(c.path("bad.txt"), []byte("word\nword\nword\nword\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	evil := c.submitSpec(bad)
	c.eventually("failures in a row", func() bool { return c.job(evil).Map.Failed >= 3 })
	began := time.Now()
	c.completed(c.submit(1))
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the other job took %v", took)
	}
	if job := c.job(evil); job.State.Terminal() {
		t.Errorf("the job that fails ended as %s before the other one", job.State)
	}
}

func (c *cluster) job(id job.ID) state.Job {
	c.t.Helper()
	job, err := c.store.Job(c.t.Context(), id)
	if err != nil {
		c.t.Fatal(err)
	}
	return job
}

// A job that can't run with its configuration fails soon, through its own fault.
func TestJobsThatCannotBeConfiguredFailByTheirOwnFault(t *testing.T) {
	t.Parallel()
	many := 1 << 20
	for name, change := range map[string]func(*job.Spec){
		"a parameter that is too large for the environment": func(s *job.Spec) {
			s.Kind, s.Program, s.Mapper, s.Params = job.KindStreaming, job.KindStreaming, "cat", job.Params{"BIG": strings.Repeat("x", 300_000)}
		},
		"a parameter that the program does not know": func(s *job.Spec) { s.Params = job.Params{"nonsense": "1"} },
		"a program that is not there":                func(s *job.Spec) { s.Program = "nonsense" },
		"more reducers than there is memory for":     func(s *job.Spec) { s.Reducers = &many },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			c.executor("only", forEver, func(cfg *executor.Config) {
				cfg.Limits = state.Limits{User: 2, Shun: -1, Backoff: time.Millisecond}
			})
			spec := c.spec(1)
			change(&spec)
			id := c.submitSpec(spec)
			j := c.wait(id, func(theJob state.Job) bool { return theJob.Phase == job.PhaseEnded })
			if j.State != job.Failed || j.Error.Class != job.ClassUser {
				t.Errorf("%s: %+v", j.State, j.Error)
			}
		})
	}
}

// hogDisk is a program that writes until the disk is full.
const hogDisk = `
def map_fn(key, value):
    with open("hog", "ab") as f:
        while True:
            f.write(bytes(1 << 20))
    yield (value, 1)
`

// A program that fills a disk that had room fails through its own fault.
func TestAProgramThatFillsTheDiskFailsByItsOwnFault(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	c.executor("only", forEver, func(cfg *executor.Config) {
		cfg.Slots, cfg.Scratch = 1, filepath.Join(disk, "scratch")
		cfg.Limits = state.Limits{User: 2, Shun: -1, Backoff: time.Millisecond}
	})
	sum := sha256.Sum256([]byte(hogDisk))
	spec := c.spec(0)
	if err := os.WriteFile(c.path("hog.py"), []byte(hogDisk), 0o644); err != nil {
		t.Fatal(err)
	}
	spec.Kind, spec.Program = "python", "hog.py"
	spec.Artifact = &job.Artifact{Key: strings.TrimPrefix(c.path("hog.py"), "/"), SHA256: hex.EncodeToString(sum[:]), Size: int64(len(hogDisk))}
	id := job.NewID()
	if _, err := controller.Submit(t.Context(), c.store, id, spec); err != nil {
		t.Fatal(err)
	}
	j := c.wait(id, func(theJob state.Job) bool { return theJob.Phase == job.PhaseEnded })
	if j.State != job.Failed || j.Error.Class != job.ClassUser || !strings.Contains(j.Error.Message, "filled the scratch disk") {
		t.Errorf("%s: %+v", j.State, j.Error)
	}
}
